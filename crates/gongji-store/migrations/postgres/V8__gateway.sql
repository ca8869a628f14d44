-- What the national-style gateway keeps of an institution: who has signed in, every message with its answer, files on their way.
-- A message's number is made of the institution's code, a time and a serial: nothing personal. Its texts are sealed.

create table gateway_sign (
    part bigint not null,
    sign_no text not null,
    institution text not null,
    opter text not null,
    signed_ms bigint not null,
    ends_ms bigint not null,
    primary key (part, sign_no)
);

create table gateway_message (
    part bigint not null,
    institution text not null,
    msgid text not null,
    message_id bigint not null,
    infno text not null,
    -- Keyed digest of what was asked: the same number with another is refused.
    fingerprint bytea not null,
    sealed_request bytea not null,
    sealed_answer bytea,
    -- 1: this answer is given again to whoever repeats the message.
    is_final bigint not null,
    received_ms bigint not null,
    answered_ms bigint,
    primary key (part, institution, msgid)
);
create index gateway_message_received on gateway_message (received_ms);

create table gateway_file (
    part bigint not null,
    institution text not null,
    file_no text not null,
    file_id bigint not null,
    name text not null,
    sealed_body bytea not null,
    made_ms bigint not null,
    ends_ms bigint not null,
    primary key (part, institution, file_no)
);
