-- The order of lists: the id of the conversation's newest message. Ids only grow, while the clock that
-- gives `active_at` may run ahead and be set back. Null until the next message: rewriting every row
-- would hold sends up, and a list puts these by `active_at` after all others. Not indexed, as
-- `active_at` (0001).
alter table conversations add column activity bigint;
