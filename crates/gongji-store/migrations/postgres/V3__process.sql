-- The process that works here. `beat` moves while it lives; who wants to be next watches it with a stopwatch of its own, so that no two clocks are
-- compared. It keeps two from working at once by mistake; that no record of a stale writer lands is the fence's business.
create table process (
    part integer not null primary key,
    name text    not null,
    beat bigint  not null
) with (fillfactor = 10);
