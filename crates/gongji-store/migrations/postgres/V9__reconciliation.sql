-- What an institution's list of a business day was found to be beside ours. The report names orders and persons by number and is
-- sealed; of one file there is one row, however often it is sent.
create table reconciliation (
    part bigint not null,
    reconciliation_id bigint not null,
    institution text not null,
    -- Business day (days since 1970, China), clr_type and insutype.
    day bigint not null,
    clr_type bigint not null,
    insutype bigint not null,
    -- SM3 of the file.
    digest bytea not null,
    state text not null check (state in ('running', 'refused', 'done')),
    -- Breaks to put right, or bad lines.
    open_count bigint not null,
    sealed_report bytea,
    made_ms bigint not null,
    primary key (part, reconciliation_id),
    constraint reconciliation_of_a_file_once unique (part, institution, day, clr_type, insutype, digest)
);
create index reconciliation_of on reconciliation (part, institution, reconciliation_id);
