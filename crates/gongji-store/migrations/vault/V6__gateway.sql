-- What the national-style gateway keeps of an institution: who has signed in, every message with its answer, files on their way.
-- A message's number is made of the institution's code, a time and a serial: nothing personal. Its texts are sealed.

create table gateway_sign (
    part integer not null,
    sign_no text not null,
    institution text not null,
    opter text not null,
    signed_ms integer not null,
    ends_ms integer not null,
    primary key (part, sign_no)
) without rowid, strict;

create table gateway_message (
    part integer not null,
    institution text not null,
    msgid text not null,
    message_id integer not null,
    infno text not null,
    -- Keyed digest of what was asked: the same number with another is refused.
    fingerprint blob not null,
    sealed_request blob not null,
    sealed_answer blob,
    -- 1: this answer is given again to whoever repeats the message.
    is_final integer not null,
    received_ms integer not null,
    answered_ms integer,
    primary key (part, institution, msgid)
) without rowid, strict;
create index gateway_message_received on gateway_message (received_ms);

create table gateway_file (
    part integer not null,
    institution text not null,
    file_no text not null,
    file_id integer not null,
    name text not null,
    sealed_body blob not null,
    made_ms integer not null,
    ends_ms integer not null,
    primary key (part, institution, file_no)
) without rowid, strict;
