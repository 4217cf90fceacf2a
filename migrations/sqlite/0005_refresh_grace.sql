-- When the session's current refresh token was issued by a refresh; null before the first one. The
-- PostgreSQL file of the same name says more.
alter table sessions add column rotated_at integer;
