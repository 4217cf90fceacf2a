-- Store::conversations. Of those that the asker holds as they are (?7, ?8), the id alone is told;
-- of the others' people each once, however many of the conversations they are in.
-- Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one row a membership: the
-- order by activity is made by sorting, so that sends need not keep it); for those of the page
-- members_pkey and messages_number_unique.
-- LIMIT: a bare parameter would have SQLite prepare the statement anew with every call.
with history as materialized (
    select epoch, case when epoch = ?7 then ?8 else '{}' end as held
    from instance
    where singleton = 1
),
page as materialized (
    select c.*, coalesce(json_extract(history.held, '$."' || c.id || '"') = c.seq, 0) as is_held
    from history, members m
    join conversations c on c.id = m.conversation_id
    where m.user_id = ?1
        and (?4 is null or (c.active_at, c.id) < (?4, ?5))
    order by c.active_at desc, c.id desc
    limit ?6 + 0
),
told as materialized (
    select * from page where not is_held
)
select case
    when not exists (
        select 1
        from sessions s
        join users u on u.id = s.user_id and u.is_active = 1
        where s.id = ?2 and s.user_id = ?1 and s.revoked_at is null and s.expires_at > ?3
    ) then json_object('denied', 'session')
    else json_object('ok', json_object(
        'epoch', (select epoch from history),
        'order', json((
            select json_group_array(id order by active_at desc, id desc) from page
        )),
        'people', json((
            select json_group_array(json_object(
                'id', u.id, 'username', u.username, 'email', u.email,
                'first_name', u.first_name, 'last_name', u.last_name
            ))
            from users u
            where u.id in (
                select m.user_id from told join members m on m.conversation_id = told.id
            )
        )),
        'conversations', json((
            select json_group_array(
                json_object(
                    'id', told.id, 'kind', told.kind, 'name', told.name,
                    'participants', json((
                        select json_group_array(user_id order by user_id)
                        from members
                        where conversation_id = told.id
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
                        where m.conversation_id = told.id
                        order by m.number desc
                        limit 1
                    )),
                    'created_at', told.created_at, 'active_at', told.active_at,
                    'seq', told.seq, 'number', told.number
                ) order by told.active_at desc, told.id desc
            )
            from told
        ))
    ))
end
