-- Operators of the offices: their names, how they prove who they are, and where they are signed in. Who they are and what they may do stands
-- in the directory's journal, by number.
create table operator_name (
    part integer not null,
    operator integer not null,
    sealed_name blob not null,
    primary key (part, operator)
) without rowid, strict;

create table operator_credential (
    part integer not null,
    credential_id integer not null,
    operator integer not null,
    kind text not null check (kind in ('passkey', 'code', 'recovery')),
    -- Passkey: the public key and its counter. Code: the secret shared with the telephone. Recovery: nothing; see the digest.
    sealed_secret blob,
    -- Recovery: keyed digest of the code.
    blind blob,
    label text not null,
    -- Code: the last step of thirty seconds that was accepted; none is accepted twice.
    last_step integer not null,
    made_ms integer not null,
    primary key (part, credential_id)
) without rowid, strict;
create index operator_credential_of on operator_credential (part, operator, kind);

-- A letter with which an operator signs in for the first time, once.
create table operator_invite (
    part integer not null,
    operator integer not null,
    secret_sm3 blob not null,
    ends_ms integer not null,
    primary key (part, operator)
) without rowid, strict;

-- What a passkey was asked, until it has answered; `operator` 0 is a form that anybody may send.
create table operator_ceremony (
    part integer not null,
    token_sm3 blob not null,
    ceremony_id integer not null,
    operator integer not null,
    sealed_state blob not null,
    ends_ms integer not null,
    primary key (part, token_sm3)
) without rowid, strict;

create table operator_session (
    part integer not null,
    token_sm3 blob not null,
    session_id integer not null,
    operator integer not null,
    sealed_label blob not null,
    created_ms integer not null,
    last_seen_ms integer not null,
    ends_ms integer not null,
    primary key (part, token_sm3)
) without rowid, strict;
create index operator_session_of on operator_session (part, operator);

-- Wrong codes under a name, known or not.
create table operator_attempt (
    part integer not null,
    login_blind blob not null,
    failures integer not null,
    lockouts integer not null,
    last_ms integer not null,
    locked_until_ms integer not null,
    primary key (part, login_blind)
) without rowid, strict;
