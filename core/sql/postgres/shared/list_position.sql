-- The position of the conversation `c` in lists: the id of its newest message, or that of the next
-- message when it was created. Where both are older than this column, the time of the newest message,
-- below every id.
coalesce(
    c.activity, (extract(epoch from c.active_at) * 1000)::bigint - 9000000000000000
)
