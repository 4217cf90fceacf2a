-- Store::create_conversation, step 1: why no conversation is created, or the existing direct one.
-- Null when one is to be created.
-- Index: sessions_pkey, users_pkey (one row per id), conversations_direct_unique,
-- messages_number_unique (the newest 100).
select case
    when not exists (
        select 1
        from (select 1) as one
        -- include: left_join_caller
        where u.id is not null
    ) then json_object('denied', 'session')
    when unknown.ids is not null then json_object('ok', json_object('unknown', json(unknown.ids)))
    when c.id is not null then json_object('ok', json_object('existing', json_object(
        -- include: conversation_fields
    )))
end
from (
    select nullif(json_group_array(other.value order by other.value), '[]') as ids
    from json_each(?4) as other
    where not exists (select 1 from users u where u.id = other.value and u.is_active = 1)
) as unknown
left join conversations c on c.direct_key = ?5
