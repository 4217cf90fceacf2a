-- Store::probe, step 1, at most once a second: whether writes are possible. The value changes,
-- because SQLite does not write a row that keeps its content. Index: write_probe_pkey. One row.
update write_probe set written = written + 1
where singleton = 1
returning cast(written as text)
