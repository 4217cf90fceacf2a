-- Store::conversations. A conversation that is unchanged since it was cached (?7 the epoch, ?8 the
-- `seq` of each) is returned as its id alone. The participants of the others are listed once each. The
-- page ends with the conversation that takes what is read beyond ?9 bytes; a participant counts 64.
-- Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one row per membership;
-- the order by activity is a sort, so that sends maintain no index for it); for the page's
-- conversations members_pkey (at most 100 participants, and all for their count) and
-- messages_number_unique.
-- LIMIT: with a bare parameter SQLite prepares the statement again on every call.
with cached as materialized (
    select epoch, case when epoch = ?7 then ?8 else '{}' end as seqs
    from instance
    where singleton = 1
),
page as materialized (
    select
        c.id, c.kind, c.name, c.seq, c.number, c.active_at, c.created_at,
        -- include: list_position
        as list_position,
        coalesce(json_extract(cached.seqs, '$."' || c.id || '"') = c.seq, 0) as is_unchanged
    from cached, members m
    join conversations c on c.id = m.conversation_id
    where m.user_id = ?1
        and (?4 is null or (list_position, c.id) < (?4, ?5))
    order by list_position desc, c.id desc
    limit ?6 + 0
),
sized as materialized (
    select
        page.*,
        case when not is_unchanged then (
            select json_group_array(user_id order by user_id)
            from (
                select user_id from members
                where conversation_id = page.id
                order by user_id
                limit 100
            )
        ) end as participants,
        case when not is_unchanged then (
            select octet_length(content) from messages
            where conversation_id = page.id
            order by messages.number desc
            limit 1
        ) end as text_bytes
    from page
),
listed as materialized (
    select sized.*, coalesce(
        sum(64 * coalesce(json_array_length(participants), 0) + coalesce(text_bytes, 0)) over (
            order by list_position desc, id desc rows between unbounded preceding and 1 preceding
        ), 0
    ) <= ?9 as fits
    from sized
),
rendered as materialized (
    select * from listed where fits and not is_unchanged
),
caller as materialized (
    select u.id
    from (select 1) as one
    -- include: left_join_caller
    where u.id is not null
)
select case
    when not exists (select 1 from caller) then json_object('denied', 'session')
    else json_object('ok', json_object(
        'epoch', (select epoch from cached),
        'order', json((
            select json_group_array(id order by list_position desc, id desc) from listed where fits
        )),
        'is_cut', json(iif(exists (select 1 from listed where not fits), 'true', 'false')),
        'people', json((
            select json_group_array(json_object(
                'id', u.id, 'username', u.username, 'email', u.email,
                'first_name', u.first_name, 'last_name', u.last_name
            ))
            from users u
            where u.id in (
                select id from caller
                union all
                select value from rendered, json_each(rendered.participants)
            )
        )),
        'conversations', json((
            select json_group_array(
                json_object(
                    'id', rendered.id, 'kind', rendered.kind, 'name', rendered.name,
                    'participants', json(rendered.participants),
                    'member_count', (
                        select count(*) from members where conversation_id = rendered.id
                    ),
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
                        where m.conversation_id = rendered.id
                        order by m.number desc
                        limit 1
                    )),
                    'created_at', rendered.created_at, 'active_at', rendered.active_at,
                    'list_position', rendered.list_position,
                    'seq', rendered.seq, 'number', rendered.number
                ) order by rendered.list_position desc, rendered.id desc
            )
            from rendered
        ))
    ))
end
