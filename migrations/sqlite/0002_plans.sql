-- SQLite plans a statement when it is prepared, and every connection sets what it needs itself.
select 1;
