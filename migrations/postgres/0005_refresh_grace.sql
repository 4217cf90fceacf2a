-- When the session's current refresh token was issued by a refresh; null before the first one. A
-- client that repeats that refresh within the grace receives the same tokens, which are computed
-- from this time.
alter table sessions add column rotated_at timestamptz;
