-- Planner settings no longer belong to the role: 0002 set them for every statement of the role, also
-- for those that want a sequential scan, and a dump and restore loses them. The statements in
-- `core/sql` have shapes whose plans are stable without them.
do $$
declare
    setting text;
begin
    foreach setting in array array['plan_cache_mode', 'enable_seqscan', 'jit'] loop
        execute format(
            'alter role %I in database %I reset %s', current_user, current_database(), setting
        );
    end loop;
exception
    when insufficient_privilege then
        raise warning 'this role may not change its own settings: reset them as an administrator';
end
$$;

-- One plan serves all parameters and is kept while the tables grow, until the next analyze. These two
-- grow by thousands of rows within the minute between two runs of autovacuum. Without statistics the
-- planner assumes ten pages and uses the indexes; statistics of a few rows would have it read the
-- whole table, and the kept plan would still do so at a hundred thousand rows. So autovacuum takes no
-- statistics of them before they have some thousand rows.
alter table messages set (
    autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = 5000
);
alter table changes set (
    autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = 5000
);
