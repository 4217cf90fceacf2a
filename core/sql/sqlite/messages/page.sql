-- Store::messages. A page is a part below one number and a part above another: at most ?6 messages
-- below ?5, the nearest, and at most ?8 above ?7. Each part ends with the message that fills its ?9
-- bytes.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, instance_pkey,
-- messages_number_unique (a range no longer than the page), users_pkey again for each sender.
-- LIMIT: with a bare parameter SQLite prepares the statement again on every call.
select case
    -- include: denied
    else json_object('ok', json_object(
        'messages', json((
            select json_group_array(
                json_object(
                    'id', page.id, 'sender_id', page.sender_id, 'sender', sender.username,
                    'content', page.content, 'timestamp', page.created_at,
                    'seq', page.seq, 'number', page.number,
                    'client_message_id', page.client_message_id, 'reply_to', page.reply_to,
                    'mentions', json(coalesce(page.mentions, '[]')), 'version', page.version
                ) order by page.number
            )
            from (
                select below.*, sum(
                    -- include: message_bytes
                ) over (
                    order by number desc rows between unbounded preceding and 1 preceding
                ) as nearer_bytes
                from (
                    select * from messages
                    where conversation_id = c.id and number < ?5
                    order by number desc
                    limit ?6 + 0
                ) as below
                union all
                select above.*, sum(
                    -- include: message_bytes
                ) over (order by number rows between unbounded preceding and 1 preceding)
                from (
                    select * from messages
                    where conversation_id = c.id and number > ?7
                    order by number
                    limit ?8 + 0
                ) as above
            ) as page
            join users sender on sender.id = page.sender_id
            where coalesce(page.nearer_bytes, 0) < ?9
        )),
        'position', json_object(
            'epoch', (select epoch from instance where singleton = 1),
            'seq', c.seq, 'number', c.number
        )
    ))
end
-- include: from_member
