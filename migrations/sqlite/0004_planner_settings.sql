-- SQLite has no planner settings to revert.
select 1;
