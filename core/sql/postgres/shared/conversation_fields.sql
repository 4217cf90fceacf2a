-- The fields of a conversation `c` in JSON, without its participants: the caller adds those. Its
-- messages are the newest page, as messages/page returns it. Index: messages_number_unique (the newest
-- 100).
-- `limit (select 100)` hides the number from the planner. If it knew the number and estimated about
-- as many messages per conversation, it would choose to sort all of them, and the cached plan would
-- do so for the longest conversation as well.
'id', c.id, 'kind', c.kind, 'name', c.name,
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
        select newest.*, sum(
            -- include: message_bytes
        ) over (order by number desc rows between unbounded preceding and 1 preceding) as newer_bytes
        from (
            select * from messages
            where conversation_id = c.id
            order by number desc
            limit (select 100)
        ) as newest
    ) as recent
    where coalesce(newer_bytes, 0) < (select 491520)
),
'created_at', (extract(epoch from c.created_at) * 1000)::bigint,
'seq', c.seq, 'number', c.number
