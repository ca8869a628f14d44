-- The fence: one writer for each partition. Taking over raises `epoch`; every commit moves `seq` by one or stops.
create table ledger_part (
    part  integer not null primary key,
    parts integer not null,
    epoch integer not null,
    seq   integer not null
);

-- The journal: append-only, hash-chained. With rowids: payloads are large, and an index of them would be a tree of a few branches each. `payload` is described in docs/journal-format.md.
create table journal (
    part      integer not null,
    seq       integer not null,
    stamp     integer not null,
    directory integer not null,
    hash      blob    not null,
    payload   blob    not null,
    primary key (part, seq)
);
