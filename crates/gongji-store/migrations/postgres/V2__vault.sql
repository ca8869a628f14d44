-- The vault: personal data, credentials, sessions and texts. Not a projection of the journal.
-- Columns named sealed_* hold
-- SM4-GCM ciphertexts, columns named *_blind keyed digests; nothing personal stands here in clear.
-- Times are milliseconds since 1970 in UTC.

create table vault_meta (
    part bigint not null,
    name text not null,
    value bytea not null,
    primary key (part, name)
);

-- Who writes waits for its turn here, in whichever process: as with the file of the embedded store, one writes at a time.
create table vault_turn (
    part bigint not null primary key
);
insert into vault_turn values (0);

-- Last serial number given out, per partition and kind of row.
create table vault_serial (
    part bigint not null,
    kind text not null,
    last bigint not null,
    primary key (part, kind)
);

create table person (
    part bigint not null,
    holder bigint not null,
    id_blind bytea not null,
    -- Keyed digest over ID number and name: a name is compared without being opened.
    name_blind bytea not null,
    sealed_name bytea not null,
    sealed_id_number bytea not null,
    -- From the enrolment file.
    sealed_phone bytea,
    -- Proven by a one-time code; goes before the one on file.
    sealed_registered_phone bytea,
    registered_ms bigint,
    created_ms bigint not null,
    updated_ms bigint not null,
    primary key (part, holder),
    constraint person_id_number_once unique (part, id_blind)
);

create table credential (
    part bigint not null,
    holder bigint not null,
    algorithm text not null,
    hash text not null,
    changed_ms bigint not null,
    primary key (part, holder)
);

-- Counted by ID number, not by holder: unknown numbers are counted and locked just like known ones,
-- so that a lock does not reveal who exists.
create table password_attempt (
    part bigint not null,
    id_blind bytea not null,
    failures bigint not null,
    lockouts bigint not null,
    locked_until_ms bigint not null,
    last_ms bigint not null,
    primary key (part, id_blind)
);

create table session (
    part bigint not null,
    token_sm3 bytea not null,
    -- What a person sees and revokes by; not a secret.
    session_id bigint not null,
    holder bigint not null,
    sealed_label bytea not null,
    created_ms bigint not null,
    last_seen_ms bigint not null,
    ends_ms bigint not null,
    primary key (part, token_sm3)
);
create index session_of_holder on session (part, holder);

create table one_time_code (
    part bigint not null,
    ticket_sm3 bytea not null,
    purpose text not null,
    row_id bigint not null,
    sealed_payload bytea not null,
    code_mac bytea not null,
    attempts_left bigint not null,
    expires_ms bigint not null,
    primary key (part, ticket_sm3)
);

-- One row per code asked for, by ID number and by phone: the resend limits.
create table code_asked (
    part bigint not null,
    asker_blind bytea not null,
    asked_ms bigint not null,
    primary key (part, asker_blind, asked_ms)
);

create table message (
    part bigint not null,
    message_id bigint not null,
    holder bigint not null,
    channel text not null check (channel in ('sms', 'notice')),
    sealed_phone bytea,
    sealed_text bytea not null,
    created_ms bigint not null,
    read_ms bigint,
    primary key (part, message_id)
);
create index message_of_holder on message (part, holder, message_id);

create table institution_key (
    part bigint not null,
    key_id text not null,
    institution text not null,
    secret_sm3 bytea not null,
    created_ms bigint not null,
    revoked_ms bigint,
    primary key (part, key_id)
);
create index institution_key_of on institution_key (part, institution);

create table consent (
    part bigint not null,
    consent_id bigint not null,
    -- Whom the consent is about, and who gave it (the same person, or the one opening on behalf).
    holder bigint not null,
    given_by bigint not null,
    subject text not null,
    text_version text not null,
    given_ms bigint not null,
    withdrawn_ms bigint,
    primary key (part, consent_id)
);
create index consent_of_holder on consent (part, holder, consent_id);

create table recovery (
    part bigint not null,
    recovery_id bigint not null,
    holder bigint not null,
    phone_blind bytea not null,
    sealed_phone bytea not null,
    sealed_reason bytea not null,
    made_by text not null,
    made_ms bigint not null,
    confirmed_by text,
    confirmed_ms bigint,
    used_ms bigint,
    primary key (part, recovery_id),
    constraint recovery_needs_two check (confirmed_by is null or confirmed_by <> made_by)
);
create index recovery_of_holder on recovery (part, holder);

-- What the sandbox answers to a face check of this person; never read outside the sandbox.
create table sandbox_face (
    part bigint not null,
    holder bigint not null,
    result text not null check (result in ('pass', 'fail', 'unavailable')),
    primary key (part, holder)
);
-- "这里付不了": what readers report of an institution, for the office to look at. What they report is one word of a list, so nothing
-- personal can stand here; the reporter is a number, null where nobody was logged in.
create table place_report (
    part bigint not null,
    report_id bigint not null,
    institution text not null,
    what text not null,
    reporter bigint,
    made_ms bigint not null,
    primary key (part, report_id)
);

create index place_report_by_institution on place_report (part, institution, made_ms);
