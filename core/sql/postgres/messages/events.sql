-- Store::events: messages and the rows of `changes`, in the order of `seq`. `seq - number` never
-- decreases along a conversation, so the message right after `seq` $2 has a number above
-- $2 - (c.seq - c.number). The range starts there; it reads at most as many surplus rows as there
-- were other events since. A message, and a change to one, is returned with the message's current
-- text, so that a deleted text is in no event. Index: conversations_pkey, instance_pkey,
-- messages_number_unique and changes_pkey (a range each), users_pkey for the senders, messages_pkey
-- for edited messages. messages/page explains `(select $3)` and the outer limit.
select (
    select json_build_object(
        'events', (
            select coalesce(json_agg(recent.event order by recent.seq), '[]')
            from (
                (
                    select * from (
                        select m.seq, json_build_object(
                            'type', 'message', 'seq', m.seq, 'number', m.number,
                            'message_id', m.id, 'message', m.content,
                            'sender_id', m.sender_id,
                            'sender', (select username from users where id = m.sender_id),
                            'timestamp', (extract(epoch from m.created_at) * 1000)::bigint,
                            'client_message_id', m.client_message_id,
                            'reply_to', m.reply_to,
                            'mentions', coalesce(m.mentions, '{}'), 'version', m.version
                        ) as event
                        from messages m
                        where m.conversation_id = c.id and m.number > $2 - (c.seq - c.number)
                            and m.seq > (select $2::bigint)
                        order by m.number
                        limit (select $3::bigint)
                    ) as found
                    limit 1000
                )
                union all
                (
                    select x.seq, case
                        when x.kind in ('joined', 'left') then json_build_object(
                            'type', 'member', 'seq', x.seq, 'user_id', x.user_id,
                            'username', (select username from users where id = x.user_id),
                            'change', x.kind, 'by', x.actor_id,
                            'timestamp', (extract(epoch from x.created_at) * 1000)::bigint
                        )
                        else (
                            select json_build_object(
                                'type', concat('message.', x.kind), 'seq', x.seq,
                                'message_id', x.message_id, 'message', m.content,
                                'version', m.version, 'user_id', x.user_id,
                                'timestamp', (extract(epoch from x.created_at) * 1000)::bigint
                            )
                            from messages m
                            where m.id = x.message_id
                        )
                    end
                    from changes x
                    where x.conversation_id = c.id and x.seq > (select $2::bigint)
                    order by x.seq
                    limit (select $3::bigint)
                )
                order by seq
                limit (select $3::bigint)
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
