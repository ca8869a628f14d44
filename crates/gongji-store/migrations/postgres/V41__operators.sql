-- Operators of the offices: their names, how they prove who they are, and where they are signed in. Who they are and what they may do stands
-- in the directory's journal, by number.
create table operator_name (
    part bigint not null,
    operator bigint not null,
    sealed_name bytea not null,
    primary key (part, operator)
);

create table operator_credential (
    part bigint not null,
    credential_id bigint not null,
    operator bigint not null,
    kind text not null check (kind in ('passkey', 'code', 'recovery')),
    -- Passkey: the public key and its counter. Code: the secret shared with the telephone. Recovery: nothing; see the digest.
    sealed_secret bytea,
    -- Recovery: keyed digest of the code.
    blind bytea,
    label text not null,
    -- Code: the last step of thirty seconds that was accepted; none is accepted twice.
    last_step bigint not null,
    made_ms bigint not null,
    primary key (part, credential_id)
);
create index operator_credential_of on operator_credential (part, operator, kind);

-- A letter with which an operator signs in for the first time, once.
create table operator_invite (
    part bigint not null,
    operator bigint not null,
    secret_sm3 bytea not null,
    ends_ms bigint not null,
    primary key (part, operator)
);

-- What a passkey was asked, until it has answered; `operator` 0 is a form that anybody may send.
create table operator_ceremony (
    part bigint not null,
    token_sm3 bytea not null,
    ceremony_id bigint not null,
    operator bigint not null,
    sealed_state bytea not null,
    ends_ms bigint not null,
    primary key (part, token_sm3)
);

create table operator_session (
    part bigint not null,
    token_sm3 bytea not null,
    session_id bigint not null,
    operator bigint not null,
    sealed_label bytea not null,
    created_ms bigint not null,
    last_seen_ms bigint not null,
    ends_ms bigint not null,
    primary key (part, token_sm3)
);
create index operator_session_of on operator_session (part, operator);

-- Wrong codes under a name, known or not.
create table operator_attempt (
    part bigint not null,
    login_blind bytea not null,
    failures bigint not null,
    lockouts bigint not null,
    last_ms bigint not null,
    locked_until_ms bigint not null,
    primary key (part, login_blind)
);
