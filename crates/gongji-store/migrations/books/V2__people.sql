-- People as of `objects_seq`, packed (crates/gongji-store/src/packed.rs), by their whole id: a file has one partition. Rows by an integer are written for a
-- fraction of what rows by bytes cost, and these are rewritten most.
create table person (
    id   integer not null primary key,
    body blob    not null
);

-- What was written before is made anew from the journal at the next start.
delete from projected;
delete from object;
delete from block;
delete from outbox;
