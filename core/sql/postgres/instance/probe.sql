-- Store::probe, at most once a second: whether writes are possible. A standby and a read-only
-- transaction refuse it. The parts that change no row take the locks of a send, so that it waits
-- where a send would. Index: write_probe_pkey. One row.
with lock_conversations as (
    update conversations set seq = seq where false
),
lock_messages as (
    delete from messages where false
)
update write_probe set written = written + 1
where singleton = 1
returning written::text
