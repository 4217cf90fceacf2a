-- Store::create_conversation, step 1: why none is created, or the existing direct conversation. No
-- row when one is to be created.
-- Index: sessions_pkey, users_pkey (one row an id), conversations_direct_unique,
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
        'id', c.id, 'kind', c.kind, 'name', c.name,
        'participants', json((
            select json_group_array(
                json_object(
                    'id', u.id, 'username', u.username, 'email', u.email,
                    'first_name', u.first_name, 'last_name', u.last_name
                ) order by u.id
            )
            from members m
            join users u on u.id = m.user_id
            where m.conversation_id = c.id
        )),
        'messages', json((
            select json_group_array(
                json_object(
                    'id', recent.id, 'sender_id', recent.sender_id, 'sender', sender.username,
                    'content', recent.content, 'timestamp', recent.created_at,
                    'seq', recent.seq, 'number', recent.number,
                    'client_message_id', recent.client_message_id, 'reply_to', recent.reply_to,
                    'mentions', json(coalesce(recent.mentions, '[]')), 'version', recent.version
                ) order by recent.number
            )
            from (
                select * from messages
                where conversation_id = c.id
                order by number desc
                limit 100
            ) as recent
            join users sender on sender.id = recent.sender_id
        )),
        'created_at', c.created_at, 'seq', c.seq, 'number', c.number
    )))
end
from (
    select nullif(json_group_array(other.value order by other.value), '[]') as ids
    from json_each(?4) as other
    where not exists (select 1 from users u where u.id = other.value and u.is_active = 1)
) as unknown
left join conversations c on c.direct_key = ?5
