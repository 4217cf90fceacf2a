-- The row that a health check writes.
create table write_probe (
    singleton integer not null constraint write_probe_pkey primary key
        constraint write_probe_one_row check (singleton = 1),
    written integer not null default 0
) strict;

insert into write_probe (singleton) values (1);
