-- Store::open_session, when the client has a usable address. Index: sessions_pkey, devices_pkey. One
-- row, written once a day at most.
insert into devices (user_id, key, used_at)
select user_id, ?2, ?3
from sessions
where id = ?1
on conflict (user_id, key) do update set used_at = excluded.used_at
where used_at < excluded.used_at - 86400000
