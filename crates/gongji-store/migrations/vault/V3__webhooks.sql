-- Where institutions are told that there is something new to read. At most one message is under way to each: it says "read", not what. Positions
-- are those of the feed of events, opaque here.
create table webhook (
    part integer not null,
    webhook_id integer not null,
    institution text not null,
    sealed_url blob not null,
    sealed_secret blob not null,
    -- Still signed with until then, after a change of secret.
    sealed_old_secret blob,
    old_until_ms integer,
    created_ms integer not null,
    -- What the receiver has confirmed to know of.
    told blob not null,
    -- The message under way, if there is one.
    message text,
    message_ms integer,
    position blob,
    attempts integer not null,
    next_ms integer not null,
    primary key (part, webhook_id)
) without rowid, strict;

create index webhook_of_institution on webhook (part, institution);

create table webhook_attempt (
    part integer not null,
    webhook_id integer not null,
    number integer not null,
    message text not null,
    attempt integer not null,
    at_ms integer not null,
    outcome text not null,
    status integer,
    primary key (part, webhook_id, number)
) without rowid, strict;
