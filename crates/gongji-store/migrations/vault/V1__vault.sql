-- The vault: personal data, credentials, sessions and texts. Not a projection of the journal.
-- Every table is led by part (on PostgreSQL the distribution column). Columns named sealed_* hold
-- SM4-GCM ciphertexts, columns named *_blind keyed digests; nothing personal stands here in clear.
-- Times are milliseconds since 1970 in UTC.

create table vault_meta (
    part integer not null,
    name text not null,
    value blob not null,
    primary key (part, name)
) without rowid, strict;

-- Last serial number given out, per partition and kind of row.
create table vault_serial (
    part integer not null,
    kind text not null,
    last integer not null,
    primary key (part, kind)
) without rowid, strict;

create table person (
    part integer not null,
    holder integer not null,
    id_blind blob not null,
    -- Keyed digest over ID number and name: a name is compared without being opened.
    name_blind blob not null,
    sealed_name blob not null,
    sealed_id_number blob not null,
    -- From the enrolment file.
    sealed_phone blob,
    -- Proven by a one-time code; goes before the one on file.
    sealed_registered_phone blob,
    registered_ms integer,
    created_ms integer not null,
    updated_ms integer not null,
    primary key (part, holder),
    constraint person_id_number_once unique (part, id_blind)
) without rowid, strict;

create table credential (
    part integer not null,
    holder integer not null,
    algorithm text not null,
    hash text not null,
    changed_ms integer not null,
    primary key (part, holder)
) without rowid, strict;

-- Counted by ID number, not by holder: unknown numbers are counted and locked just like known ones,
-- so that a lock does not reveal who exists.
create table password_attempt (
    part integer not null,
    id_blind blob not null,
    failures integer not null,
    lockouts integer not null,
    locked_until_ms integer not null,
    last_ms integer not null,
    primary key (part, id_blind)
) without rowid, strict;

create table session (
    part integer not null,
    token_sm3 blob not null,
    -- What a person sees and revokes by; not a secret.
    session_id integer not null,
    holder integer not null,
    sealed_label blob not null,
    created_ms integer not null,
    last_seen_ms integer not null,
    ends_ms integer not null,
    primary key (part, token_sm3)
) without rowid, strict;
create index session_of_holder on session (part, holder);

create table one_time_code (
    part integer not null,
    ticket_sm3 blob not null,
    purpose text not null,
    row_id integer not null,
    sealed_payload blob not null,
    code_mac blob not null,
    attempts_left integer not null,
    expires_ms integer not null,
    primary key (part, ticket_sm3)
) without rowid, strict;

-- One row per code asked for, by ID number and by phone: the resend limits.
create table code_asked (
    part integer not null,
    asker_blind blob not null,
    asked_ms integer not null,
    primary key (part, asker_blind, asked_ms)
) without rowid, strict;

create table message (
    part integer not null,
    message_id integer not null,
    holder integer not null,
    channel text not null check (channel in ('sms', 'notice')),
    sealed_phone blob,
    sealed_text blob not null,
    created_ms integer not null,
    read_ms integer,
    primary key (part, message_id)
) without rowid, strict;
create index message_of_holder on message (part, holder, message_id);

create table institution_key (
    part integer not null,
    key_id text not null,
    institution text not null,
    secret_sm3 blob not null,
    created_ms integer not null,
    revoked_ms integer,
    primary key (part, key_id)
) without rowid, strict;
create index institution_key_of on institution_key (part, institution);

create table consent (
    part integer not null,
    consent_id integer not null,
    -- Whom the consent is about, and who gave it (the same person, or the one opening on behalf).
    holder integer not null,
    given_by integer not null,
    subject text not null,
    text_version text not null,
    given_ms integer not null,
    withdrawn_ms integer,
    primary key (part, consent_id)
) without rowid, strict;
create index consent_of_holder on consent (part, holder, consent_id);

create table recovery (
    part integer not null,
    recovery_id integer not null,
    holder integer not null,
    phone_blind blob not null,
    sealed_phone blob not null,
    sealed_reason blob not null,
    made_by text not null,
    made_ms integer not null,
    confirmed_by text,
    confirmed_ms integer,
    used_ms integer,
    primary key (part, recovery_id),
    constraint recovery_needs_two check (confirmed_by is null or confirmed_by <> made_by)
) without rowid, strict;
create index recovery_of_holder on recovery (part, holder);

-- What the sandbox answers to a face check of this person; never read outside the sandbox.
create table sandbox_face (
    part integer not null,
    holder integer not null,
    result text not null check (result in ('pass', 'fail', 'unavailable')),
    primary key (part, holder)
) without rowid, strict;
