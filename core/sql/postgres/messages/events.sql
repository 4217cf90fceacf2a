-- Store::events. `seq - number` never falls along a conversation, so the message right after
-- `seq` $2 has a number above $2 - (c.seq - c.number): the range starts there, and reads no more
-- rows too many than there were other events since. Index: conversations_pkey, instance_pkey,
-- messages_number_unique (a range), users_pkey for the senders.
select (
    select json_build_object(
        'events', (
            select coalesce(json_agg(
                json_build_object(
                    'type', 'message', 'seq', recent.seq, 'number', recent.number,
                    'message_id', recent.id, 'message', recent.content,
                    'sender_id', recent.sender_id,
                    'sender', (select username from users where id = recent.sender_id),
                    'timestamp', (extract(epoch from recent.created_at) * 1000)::bigint,
                    'client_message_id', recent.client_message_id,
                    'reply_to', recent.reply_to,
                    'mentions', coalesce(recent.mentions, '{}'), 'version', recent.version
                ) order by recent.number
            ), '[]')
            from (
                select * from messages
                where conversation_id = c.id and number > $2 - (c.seq - c.number) and seq > $2
                order by number
                limit $3
            ) as recent
        ),
        'position', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'seq', c.seq, 'number', c.number
        )
    )
    from conversations c
    where c.id = $1
)::text
