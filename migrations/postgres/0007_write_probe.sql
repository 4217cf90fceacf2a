-- The row that a health check writes. A table of its own: while a long transaction (a dump) keeps old
-- versions of rows, `instance` would collect a version for each check, and every send reads it.
create table write_probe (
    singleton smallint constraint write_probe_pkey primary key
        constraint write_probe_one_row check (singleton = 1),
    written bigint not null default 0
);

insert into write_probe (singleton) values (1);
