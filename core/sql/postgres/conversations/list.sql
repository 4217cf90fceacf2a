-- Store::conversations. Of those that the asker holds as they are ($7, $8), the id alone is told;
-- of the others' people each once, however many of the conversations they are in.
-- Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one row a membership: the
-- order by activity is made by sorting, so that sends need not keep it); for those of the page
-- members_pkey and messages_number_unique (the newest message has the conversation's number).
-- The JSON is put together by hand, as in messages/append: a quarter of the time less.
with history as materialized (
    select epoch, case when epoch = $7 then $8::jsonb else '{}' end as held
    from instance
    where singleton = 1
),
page as materialized (
    select c.*, coalesce((history.held ->> c.id::text)::bigint = c.seq, false) as is_held
    from history, members m
    join conversations c on c.id = m.conversation_id
    where m.user_id = $1
        and ($4 is null or (c.active_at, c.id) < (to_timestamp($4 / 1000.0), $5))
    order by c.active_at desc, c.id desc
    limit $6
),
told as materialized (
    select
        page.*,
        array(
            select user_id from members where conversation_id = page.id order by user_id
        ) as participants
    from page
    where not is_held
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
            '{"ok":{"epoch":', (select to_json(epoch) from history), ',"order":[', (
                select string_agg(id::text, ',' order by active_at desc, id desc) from page
            ), '],"people":[', (
                select string_agg(concat(
                    '{"id":', u.id, ',"username":', to_json(u.username),
                    ',"email":', to_json(u.email), ',"first_name":', to_json(u.first_name),
                    ',"last_name":', to_json(u.last_name), '}'
                ), ',')
                from users u
                where u.id = any (array(select unnest(participants) from told))
            ),
            '],"conversations":[', (
                select string_agg(concat(
                    '{"id":', told.id, ',"kind":"', told.kind,
                    '","name":', coalesce(to_json(told.name)::text, 'null'),
                    ',"participants":[', array_to_string(told.participants, ','),
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
                        where m.conversation_id = told.id and m.number = told.number
                    ), 'null'),
                    ',"created_at":', (extract(epoch from told.created_at) * 1000)::bigint,
                    ',"active_at":', (extract(epoch from told.active_at) * 1000)::bigint,
                    ',"seq":', told.seq, ',"number":', told.number, '}'
                ), ',' order by told.active_at desc, told.id desc)
                from told
            ), ']}}'
        )
    end
)
