-- Store::open_session and Store::rotate_session, when the client has a usable address: ?4 is the
-- generation that the session has when it was opened or rotated. Index: sessions_pkey, devices_pkey.
-- One row, written once a day at most.
insert into devices (user_id, key, used_at)
select user_id, ?2, ?3
from sessions
where id = ?1 and revoked_at is null and generation = ?4
on conflict (user_id, key) do update set used_at = excluded.used_at
where used_at < excluded.used_at - 86400000
