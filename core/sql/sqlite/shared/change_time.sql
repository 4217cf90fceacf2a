-- The time of a change to the conversation `c`: never before its newest message, unless that is more
-- than ten seconds ahead of ?3, which a clock that ran ahead has left.
iif(c.active_at > ?3 + 10000, ?3, max(?3, c.active_at))
