-- Store::events. `seq - number` never falls along a conversation, so the message right after
-- `seq` ?2 has a number above ?2 - (c.seq - c.number): the range starts there, and reads no more
-- rows too many than there were other events since. Index: conversations_pkey, instance_pkey,
-- messages_number_unique (a range), users_pkey for each sender.
select json_object(
    'events', json((
        select json_group_array(
            json_object(
                'type', 'message', 'seq', recent.seq, 'number', recent.number,
                'message_id', recent.id, 'message', recent.content,
                'sender_id', recent.sender_id, 'sender', sender.username,
                'timestamp', recent.created_at,
                'client_message_id', recent.client_message_id, 'reply_to', recent.reply_to,
                'mentions', json(coalesce(recent.mentions, '[]')), 'version', recent.version
            ) order by recent.number
        )
        from (
            select * from messages
            where conversation_id = c.id and number > ?2 - (c.seq - c.number) and seq > ?2
            order by number
            limit ?3
        ) as recent
        join users sender on sender.id = recent.sender_id
    )),
    'position', json_object(
        'epoch', (select epoch from instance where singleton = 1),
        'seq', c.seq, 'number', c.number
    )
)
from conversations c
where c.id = ?1
