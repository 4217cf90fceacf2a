-- Store::probe, step 2: what step 1 has written, read through a new connection. Index:
-- write_probe_pkey. One row.
select cast(written as text) from write_probe where singleton = 1
