-- Store::conversation. Index: sessions_pkey, users_pkey (one row a member), conversations_pkey,
-- members_pkey, messages_number_unique (the newest 100).
-- `limit (select 100)` hides the number from the planner: where it expects about as many messages
-- in a conversation it would sort all of them, and the same plan serves the longest conversation.
select (
    case
        -- include: denied
        else json_build_object('ok', json_build_object(
            'id', c.id, 'kind', c.kind, 'name', c.name,
            'participants', (
                select json_agg(
                    json_build_object(
                        'id', u.id, 'username', u.username, 'email', u.email,
                        'first_name', u.first_name, 'last_name', u.last_name
                    ) order by u.id
                )
                from members m
                cross join lateral (select * from users where id = m.user_id limit 1) as u
                where m.conversation_id = c.id
            ),
            'messages', (
                select coalesce(json_agg(
                    json_build_object(
                        'id', recent.id,
                        'sender_id', recent.sender_id,
                        'sender', (select username from users where id = recent.sender_id),
                        'content', recent.content,
                        'timestamp', (extract(epoch from recent.created_at) * 1000)::bigint,
                        'seq', recent.seq, 'number', recent.number,
                        'client_message_id', recent.client_message_id,
                        'reply_to', recent.reply_to,
                        'mentions', coalesce(recent.mentions, '{}'),
                        'version', recent.version
                    ) order by recent.number
                ), '[]')
                from (
                    select * from messages
                    where conversation_id = c.id
                    order by number desc
                    limit (select 100)
                ) as recent
            ),
            'created_at', (extract(epoch from c.created_at) * 1000)::bigint,
            'seq', c.seq, 'number', c.number
        ))
    end
)::text
-- include: from_member
