-- The processes that work here. `beat` moves while one lives; the others watch it with stopwatches of their own, so that no two clocks are compared.
-- `address` is where the others reach it; empty: it works alone. `revoked`: memory of nothing older than that is answered from (see `vault_turn`).
drop table process;

create table process (
    part    integer not null,
    name    text    not null,
    address text    not null,
    beat    bigint  not null,
    revoked bigint  not null,
    primary key (part, name)
) with (fillfactor = 10);

-- Who works on a partition. It says whom to ask; that no record of anybody else's lands is the fence's business.
create table part_owner (
    part integer not null primary key,
    name text    not null
) with (fillfactor = 10);

-- How often something was revoked or changed that another process may remember.
alter table vault_turn add column revoked bigint not null default 0;
