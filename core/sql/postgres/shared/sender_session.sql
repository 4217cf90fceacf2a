-- The account and session of a row of `sender`, for a batch with many senders. The caller compares
-- `expires_at`. `limit 1` keeps this an index lookup: without it the planner may hash whole tables.
-- Index: sessions_pkey, users_pkey.
select u.username, s.expires_at
from sessions s
join users u on u.id = s.user_id and u.is_active
where s.id = sender.session_id and s.user_id = sender.user_id and s.revoked_at is null
limit 1
