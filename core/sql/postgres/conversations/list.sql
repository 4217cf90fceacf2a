-- Store::conversations. A conversation that is unchanged since it was cached ($7 the epoch, $8 the
-- `seq` of each) is returned as its id alone. The participants of the others are listed once each. The
-- page ends with the conversation that takes what is read beyond $9 bytes; a participant counts 64.
-- Index: sessions_pkey, users_pkey, members_by_user, conversations_pkey (one row per membership;
-- the order by activity is a sort, so that sends maintain no index for it); for the page's
-- conversations members_pkey (at most 100 participants, and all for their count) and
-- messages_number_unique (the newest message has the conversation's number). The JSON is
-- concatenated, as in messages/append_each: that takes a quarter less time.
-- messages/page explains `(select $1)`.
with cached as materialized (
    select epoch, case when epoch = $7 then $8::jsonb else '{}' end as seqs
    from instance
    where singleton = 1
),
page as materialized (
    select
        c.id, c.kind, c.name, c.seq, c.number, c.active_at, c.created_at, ordering.list_position,
        coalesce((cached.seqs ->> c.id::text)::bigint = c.seq, false) as is_unchanged
    from cached, members m
    join conversations c on c.id = m.conversation_id
    cross join lateral (
        select
            -- include: list_position
            as list_position
    ) as ordering
    where m.user_id = (select $1::bigint)
        and ($4 is null or (ordering.list_position, c.id) < ($4, $5))
    order by ordering.list_position desc, c.id desc
    limit (select $6::bigint)
),
sized as materialized (
    select
        page.*,
        case when not is_unchanged then array(
            select user_id from members
            where conversation_id = page.id
            order by user_id
            limit (select 100)
        ) end as participants,
        case when not is_unchanged then (
            select octet_length(content) from messages
            where conversation_id = page.id and messages.number = page.number
        ) end as text_bytes
    from page
),
listed as materialized (
    select sized.*, coalesce(
        sum(64 * coalesce(cardinality(participants), 0) + coalesce(text_bytes, 0)) over (
            order by list_position desc, id desc rows between unbounded preceding and 1 preceding
        ), 0
    ) <= (select $9::bigint) as fits
    from sized
),
rendered as materialized (
    select * from listed where fits and not is_unchanged
),
caller as materialized (
    select u.id, u.username, u.email, u.first_name, u.last_name
    from (select) as one
    -- include: left_join_caller
    where u.id is not null
)
select (
    case
        when not exists (select from caller) then '{"denied":"session"}'
        else concat(
            '{"ok":{"epoch":', (select to_json(epoch) from cached), ',"order":[', (
                select string_agg(id::text, ',' order by list_position desc, id desc)
                from listed
                where fits
            ), '],"is_cut":', (select exists (select from listed where not fits))::text,
            ',"people":[', (
                select string_agg(concat(
                    '{"id":', u.id, ',"username":', to_json(u.username),
                    ',"email":', to_json(u.email), ',"first_name":', to_json(u.first_name),
                    ',"last_name":', to_json(u.last_name), '}'
                ), ',')
                from users u
                where u.id = any (array(
                    select id from caller union all select unnest(participants) from rendered
                ))
            ),
            '],"conversations":[', (
                select string_agg(concat(
                    '{"id":', rendered.id, ',"kind":"', rendered.kind,
                    '","name":', coalesce(to_json(rendered.name)::text, 'null'),
                    ',"participants":[', array_to_string(rendered.participants, ','),
                    '],"member_count":',
                    (select count(*) from members where conversation_id = rendered.id),
                    ',"last_message":', coalesce((
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
                        where m.conversation_id = rendered.id and m.number = rendered.number
                    ), 'null'),
                    ',"created_at":', (extract(epoch from rendered.created_at) * 1000)::bigint,
                    ',"active_at":', (extract(epoch from rendered.active_at) * 1000)::bigint,
                    ',"list_position":', rendered.list_position,
                    ',"seq":', rendered.seq, ',"number":', rendered.number, '}'
                ), ',' order by rendered.list_position desc, rendered.id desc)
                from rendered
            ), ']}}'
        )
    end
)
