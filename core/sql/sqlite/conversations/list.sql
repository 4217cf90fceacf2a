-- Store::conversations. Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one
-- row a membership: the order by activity is made by sorting, so that sends need not keep it);
-- for those of the page members_pkey and messages_number_unique.
select case
    when not exists (
        select 1
        from sessions s
        join users u on u.id = s.user_id and u.is_active = 1
        where s.id = ?2 and s.user_id = ?1 and s.revoked_at is null and s.expires_at > ?3
    ) then json_object('denied', 'session')
    else json_object('ok', json((
        select json_group_array(
            json_object(
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
                'last_message', json((
                    select json_object(
                        'id', m.id, 'sender_id', m.sender_id, 'sender', sender.username,
                        'content', m.content, 'timestamp', m.created_at,
                        'seq', m.seq, 'number', m.number,
                        'client_message_id', m.client_message_id, 'reply_to', m.reply_to,
                        'mentions', json(coalesce(m.mentions, '[]')), 'version', m.version
                    )
                    from messages m
                    join users sender on sender.id = m.sender_id
                    where m.conversation_id = c.id
                    order by m.number desc
                    limit 1
                )),
                'created_at', c.created_at, 'active_at', c.active_at,
                'seq', c.seq, 'number', c.number
            ) order by c.active_at desc, c.id desc
        )
        from (
            select c.*
            from members m
            join conversations c on c.id = m.conversation_id
            where m.user_id = ?1
                and (?4 is null or (c.active_at, c.id) < (?4, ?5))
            order by c.active_at desc, c.id desc
            limit ?6
        ) as c
    )))
end
