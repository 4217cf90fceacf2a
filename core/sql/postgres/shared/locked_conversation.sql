-- The conversation $4, locked until the transaction ends. Its row is the current one: locking waits
-- for other writers and reads the row again. Index: conversations_pkey.
locked as materialized (
    select id, kind, seq, active_at, created_by
    from conversations
    where id = $4
    for no key update
),
