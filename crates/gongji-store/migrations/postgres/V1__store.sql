-- Every table is led by `part`, the distribution column where the database is spread (Citus). No sequences, no functions of the database's clock.

-- The fence: one writer for each partition. Taking over raises `epoch`; every commit moves `seq` by one or stops.
-- Updated by every commit: a page with room keeps its versions in place.
create table ledger_part (
    part  integer not null primary key,
    parts integer not null,
    epoch bigint  not null,
    seq   bigint  not null
) with (fillfactor = 10);

-- The journal: append-only, hash-chained. `payload` is described in docs/journal-format.md.
create table journal (
    part      integer not null,
    seq       bigint  not null,
    stamp     bigint  not null,
    directory bigint  not null,
    hash      bytea   not null,
    payload   bytea   not null,
    primary key (part, seq)
);

-- Ids and amounts do not shrink; trying to costs more than the commit.
alter table journal alter column payload set storage external;

-- From here on a projection of the journal: it may lag, and it can be deleted and rebuilt.
-- `epoch` is the writer that may project: one that was fenced off must not overwrite what its successor has written.
create table projected (
    part        integer not null primary key,
    epoch       bigint  not null,
    lines_seq   bigint  not null,
    objects_seq bigint  not null
) with (fillfactor = 10);

-- The state as of `objects_seq`. `due` is when a job must look at what is still open (ms).
create table object (
    part integer not null,
    key  bytea   not null,
    due  bigint,
    body bytea   not null,
    primary key (part, key)
) with (fillfactor = 85);

create index object_due on object (part, due) where due is not null;

-- Neighbours of one kind that will hardly change again, compressed; `first` is the id of the first (crates/gongji-store/src/books.rs).
create table block (
    part  integer not null,
    kind  integer not null,
    first bytea   not null,
    body  bytea   not null,
    primary key (part, kind, first)
);

-- They are compressed already.
alter table block alter column body set storage external;

-- Messages to other partitions, until they have been applied there.
create table outbox (
    part        integer not null,
    destination integer not null,
    number      bigint  not null,
    body        bytea   not null,
    primary key (part, destination, number)
);
