-- "这里付不了": what readers report of an institution, for the office to look at. What they report is one word of a list, so nothing
-- personal can stand here; the reporter is a number, null where nobody was logged in.
create table place_report (
    part integer not null,
    report_id integer not null,
    institution text not null,
    what text not null,
    reporter integer,
    made_ms integer not null,
    primary key (part, report_id)
) without rowid, strict;

create index place_report_by_institution on place_report (part, institution, made_ms);
