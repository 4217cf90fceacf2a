-- How statements are planned, for every connection of this role to this database: a connection
-- behind a pool (the edge's) cannot say so itself, since the pool does not keep what one of its
-- users has set. Planning the statement that stores a batch takes longer than running it, so one
-- plan serves all parameters, and that from the first time on; every statement is served by an
-- index, and the planner is kept from thinking otherwise while tables are small, since a plan is
-- kept while they grow.
do $$
declare
    setting text;
begin
    foreach setting in array array[
        'plan_cache_mode = force_generic_plan', 'enable_seqscan = off', 'jit = off'
    ] loop
        execute format(
            'alter role %I in database %I set %s', current_user, current_database(), setting
        );
    end loop;
exception
    when insufficient_privilege then
        raise warning 'this role may not change its own settings: the edge will plan more often';
end
$$;
