-- Store::create_conversation, step 3: the conversation of step 2, recognised by having no members
-- yet.
-- Index: conversations_pkey, members_pkey, users_pkey (one row per id).
select json_object(
    'id', c.id, 'kind', c.kind, 'name', c.name,
    'participants', json((
        select json_group_array(
            json_object(
                'id', u.id, 'username', u.username, 'email', u.email,
                'first_name', u.first_name, 'last_name', u.last_name
            ) order by u.id <> ?1, u.id
        )
        from users u
        where u.id = ?1 or u.id in (select value from json_each(?2) order by value limit 99)
    )),
    'member_count', 1 + json_array_length(?2),
    'messages', json('[]'),
    'created_at', c.created_at, 'seq', c.seq, 'number', c.number
)
from conversations c
where c.id = (select max(id) from conversations)
    and not exists (select 1 from members m where m.conversation_id = c.id)
