-- Where institutions are told that there is something new to read. At most one message is under way to each: it says "read", not what. Positions
-- are those of the feed of events, opaque here.
create table webhook (
    part bigint not null,
    webhook_id bigint not null,
    institution text not null,
    sealed_url bytea not null,
    sealed_secret bytea not null,
    -- Still signed with until then, after a change of secret.
    sealed_old_secret bytea,
    old_until_ms bigint,
    created_ms bigint not null,
    -- What the receiver has confirmed to know of.
    told bytea not null,
    -- The message under way, if there is one.
    message text,
    message_ms bigint,
    position bytea,
    attempts bigint not null,
    next_ms bigint not null,
    primary key (part, webhook_id)
);

create index webhook_of_institution on webhook (part, institution);

create table webhook_attempt (
    part bigint not null,
    webhook_id bigint not null,
    number bigint not null,
    message text not null,
    attempt bigint not null,
    at_ms bigint not null,
    outcome text not null,
    status bigint,
    primary key (part, webhook_id, number)
);
