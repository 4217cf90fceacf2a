-- Store::open_session, step 1. No row when the account is deleted or inactive.
-- Index: users_pkey, sessions_pkey. One row.
insert into sessions (id, user_id, created_at, expires_at)
select ?1, id, ?3, ?4
from users
where id = ?2 and is_active = 1
returning 'true'
