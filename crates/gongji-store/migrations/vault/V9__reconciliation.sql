-- What an institution's list of a business day was found to be beside ours. The report names orders and persons by number and is
-- sealed; of one file there is one row, however often it is sent.
create table reconciliation (
    part integer not null,
    reconciliation_id integer not null,
    institution text not null,
    -- Business day (days since 1970, China), clr_type and insutype.
    day integer not null,
    clr_type integer not null,
    insutype integer not null,
    -- SM3 of the file.
    digest blob not null,
    state text not null check (state in ('running', 'refused', 'done')),
    -- Breaks to put right, or bad lines.
    open_count integer not null,
    sealed_report blob,
    made_ms integer not null,
    primary key (part, reconciliation_id),
    constraint reconciliation_of_a_file_once unique (part, institution, day, clr_type, insutype, digest)
) without rowid, strict;
create index reconciliation_of on reconciliation (part, institution, reconciliation_id);
