-- The position of the conversation `c` in lists: the id of its newest message, or that of the newest
-- message of all when it was created. Where both are older than this column, the time of the newest
-- message, below every id.
coalesce(c.activity, c.active_at - 9000000000000000)
