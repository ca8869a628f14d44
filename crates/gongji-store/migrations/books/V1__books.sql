-- Everything here is a projection of the journal: it may lag, and it can be deleted and rebuilt.
-- `epoch` is the writer that may project: one that was fenced off must not overwrite what its successor has written.
create table projected (
    part        integer not null primary key,
    epoch       integer not null,
    lines_seq   integer not null,
    objects_seq integer not null
);

-- The state as of `objects_seq`. `due` is when a job must look at what is still open (ms).
create table object (
    part integer not null,
    key  blob    not null,
    due  integer,
    body blob    not null,
    primary key (part, key)
) without rowid;

create index object_due on object (part, due) where due is not null;

-- Statement lines as of `lines_seq`; each names the line before of the same person.
create table line (
    part   integer not null,
    number integer not null,
    holder integer not null,
    at     integer not null,
    amount integer not null,
    body   blob    not null,
    primary key (part, number)
) without rowid;

-- Orders of institutions, in the same numbering as the lines.
create table order_line (
    part   integer not null,
    number integer not null,
    key    blob    not null,
    primary key (part, number)
) without rowid;

-- Messages to other partitions, until they have been applied there.
create table outbox (
    part        integer not null,
    destination integer not null,
    number      integer not null,
    body        blob    not null,
    primary key (part, destination, number)
) without rowid;
