-- Store::create_conversation, step 2. Inserts nothing when step 1 returned a result.
-- Index: sessions_pkey, users_pkey (one row per id), conversations_direct_unique,
-- messages_pkey (the last row).
insert into conversations (kind, name, direct_key, active_at, activity, created_by, created_at)
select ?6, ?7, ?5, ?3, coalesce((select max(id) from messages), 0), u.id, ?3
from (select 1) as one
-- include: left_join_caller
where u.id is not null
    and not exists (
        select 1 from json_each(?4) as other
        where not exists (select 1 from users u where u.id = other.value and u.is_active = 1)
    )
    and not exists (select 1 from conversations where direct_key = ?5)
