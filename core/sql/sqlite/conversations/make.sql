-- Store::create_conversation, step 2. Makes nothing when step 1 answered.
-- Index: sessions_pkey, users_pkey (one row an id), conversations_direct_unique.
insert into conversations (kind, name, direct_key, active_at, created_by, created_at)
select ?6, ?7, ?5, ?3, u.id, ?3
from sessions s
join users u on u.id = s.user_id and u.is_active = 1
where s.id = ?2 and s.user_id = ?1 and s.revoked_at is null and s.expires_at > ?3
    and not exists (
        select 1 from json_each(?4) as other
        where not exists (select 1 from users u where u.id = other.value and u.is_active = 1)
    )
    and not exists (select 1 from conversations where direct_key = ?5)
