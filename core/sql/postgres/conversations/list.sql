-- Store::conversations. Each person is told once, however many of the conversations they are in.
-- Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one row a membership: the
-- order by activity is made by sorting, so that sends need not keep it); for those of the page
-- members_pkey and messages_number_unique (the newest message has the conversation's number).
-- The JSON is put together by hand, as in messages/append: a quarter of the time less.
with page as materialized (
    select
        c.*,
        array(
            select user_id from members where conversation_id = c.id order by user_id
        ) as participants
    from members m
    join conversations c on c.id = m.conversation_id
    where m.user_id = $1
        and ($4 is null or (c.active_at, c.id) < (to_timestamp($4 / 1000.0), $5))
    order by c.active_at desc, c.id desc
    limit $6
)
select (
    case
        when not exists (
            select
            from sessions s
            join users u on u.id = s.user_id and u.is_active
            where s.id = $2 and s.user_id = $1
                and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
        ) then '{"denied":"session"}'
        else concat(
            '{"ok":{"people":[', (
                select string_agg(concat(
                    '{"id":', u.id, ',"username":', to_json(u.username),
                    ',"email":', to_json(u.email), ',"first_name":', to_json(u.first_name),
                    ',"last_name":', to_json(u.last_name), '}'
                ), ',')
                from users u
                where u.id = any (array(select unnest(participants) from page))
            ),
            '],"conversations":[', (
                select string_agg(concat(
                    '{"id":', page.id, ',"kind":"', page.kind,
                    '","name":', coalesce(to_json(page.name)::text, 'null'),
                    ',"participants":[', array_to_string(page.participants, ','),
                    '],"last_message":', coalesce((
                        select concat(
                            '{"id":', m.id, ',"sender_id":', m.sender_id,
                            ',"sender":', (
                                select to_json(username) from users where id = m.sender_id
                            ),
                            ',"content":', to_json(m.content),
                            ',"timestamp":', (extract(epoch from m.created_at) * 1000)::bigint,
                            ',"seq":', m.seq, ',"number":', m.number,
                            ',"client_message_id":',
                            coalesce(to_json(m.client_message_id)::text, 'null'),
                            ',"reply_to":', coalesce(m.reply_to::text, 'null'),
                            ',"mentions":[', array_to_string(m.mentions, ','),
                            '],"version":', m.version, '}'
                        )
                        from messages m
                        where m.conversation_id = page.id and m.number = page.number
                    ), 'null'),
                    ',"created_at":', (extract(epoch from page.created_at) * 1000)::bigint,
                    ',"active_at":', (extract(epoch from page.active_at) * 1000)::bigint,
                    ',"seq":', page.seq, ',"number":', page.number, '}'
                ), ',' order by page.active_at desc, page.id desc)
                from page
            ), ']}}'
        )
    end
)
