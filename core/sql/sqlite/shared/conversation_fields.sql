-- The fields of a conversation `c` in JSON, for a member (?1). Its messages are the newest page, as
-- messages/page returns it. Index: users_pkey (at most 100 members), members_pkey,
-- messages_number_unique (the newest 100).
'id', c.id, 'kind', c.kind, 'name', c.name,
-- include: participants
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
        select newest.*, sum(
            -- include: message_bytes
        ) over (order by number desc rows between unbounded preceding and 1 preceding) as newer_bytes
        from (
            select * from messages
            where conversation_id = c.id
            order by number desc
            limit 100
        ) as newest
    ) as recent
    join users sender on sender.id = recent.sender_id
    where coalesce(newer_bytes, 0) < 491520
)),
'created_at', c.created_at, 'seq', c.seq, 'number', c.number
