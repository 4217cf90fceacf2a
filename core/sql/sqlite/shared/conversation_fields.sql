-- The fields of a conversation `c` in JSON. Index: users_pkey (one row per member), members_pkey,
-- messages_number_unique (the newest 100).
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
