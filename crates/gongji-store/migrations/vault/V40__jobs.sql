-- What happens by itself as time passes: how far each job has come, and how its last run went. One row for each job that an installation does once,
-- whichever of its processes does it. Nothing personal stands here.
create table job (
    part integer not null,
    name text not null,
    -- Time of the business clock up to which it is done.
    done_ms integer,
    -- The last run, by the machine's clock; still running where `ended_ms` is null.
    began_ms integer not null,
    ended_ms integer,
    -- Rows, messages or whatever it counts, of the last run that went well.
    count integer not null,
    -- Why the last run failed.
    trouble text,
    failures integer not null,
    primary key (part, name)
) without rowid, strict;
