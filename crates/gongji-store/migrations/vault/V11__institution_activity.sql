-- When a terminal of an institution last took a payment (read off the journal), and when the institution's software last said that it is up.
-- People are shown it before they go or send money; nothing decides about money by it. 0: never.
create table institution_activity (
    part integer not null,
    institution text not null,
    terminal text not null check (terminal in ('counter', 'kiosk', 'mobile')),
    paid_ms integer not null,
    heard_ms integer not null,
    written_ms integer not null,
    primary key (part, institution, terminal)
) without rowid, strict;

create index institution_activity_written on institution_activity (part, written_ms);

-- The order that a report of a place is about: the institution's own number of it.
alter table place_report add column order_no text;
