-- Everything here is a projection of the journal: it may lag, and it can be deleted and rebuilt.
-- `epoch` is the writer that may project: one that was fenced off must not overwrite what its successor has written.
create table projected (
    part        integer not null primary key,
    epoch       integer not null,
    lines_seq   integer not null,
    objects_seq integer not null
);

-- The state as of `objects_seq`, as far as it changes, and order lines as of `lines_seq`. `due` is when a job must look at what is still open (ms).
create table object (
    part integer not null,
    key  blob    not null,
    due  integer,
    body blob    not null,
    primary key (part, key)
) without rowid;

create index object_due on object (part, due) where due is not null;

-- Neighbours of one kind that will hardly change again, compressed; `first` is the id of the first (crates/gongji-store/src/books.rs).
create table block (
    part  integer not null,
    kind  integer not null,
    first blob    not null,
    body  blob    not null
);

create unique index block_first on block (part, kind, first);

-- Messages to other partitions, until they have been applied there.
create table outbox (
    part        integer not null,
    destination integer not null,
    number      integer not null,
    body        blob    not null,
    primary key (part, destination, number)
) without rowid;
