-- Store::messages. A page is a part below one number and a part above another: at most $6 messages
-- below $5, the nearest, and at most $8 above $7. Each part ends with the message that fills its $9
-- bytes.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, instance_pkey,
-- messages_number_unique (a range no longer than the page), users_pkey again for the senders.
--
-- `(select $6)` hides a parameter's value from the planner, so that it estimates a custom plan and
-- the generic plan at the same cost and keeps the generic one. The outer limit is above every page
-- size; it bounds the planner's estimate, which is otherwise a tenth of the conversation.
select (
    case
        -- include: denied
        else json_build_object('ok', json_build_object(
            'messages', (
                select coalesce(json_agg(
                    json_build_object(
                        'id', page.id, 'sender_id', page.sender_id,
                        'sender', (select username from users where id = page.sender_id),
                        'content', page.content,
                        'timestamp', (extract(epoch from page.created_at) * 1000)::bigint,
                        'seq', page.seq, 'number', page.number,
                        'client_message_id', page.client_message_id, 'reply_to', page.reply_to,
                        'mentions', coalesce(page.mentions, '{}'), 'version', page.version
                    ) order by page.number
                ), '[]')
                from (
                    (
                        select below.*, sum(
                            -- include: message_bytes
                        ) over (
                            order by number desc rows between unbounded preceding and 1 preceding
                        ) as nearer_bytes
                        from (
                            select * from messages
                            where conversation_id = c.id and number < (select $5::bigint)
                            order by number desc
                            limit (select $6::bigint)
                        ) as below
                    )
                    union all
                    (
                        select above.*, sum(
                            -- include: message_bytes
                        ) over (
                            order by number rows between unbounded preceding and 1 preceding
                        )
                        from (
                            select * from messages
                            where conversation_id = c.id and number > (select $7::bigint)
                            order by number
                            limit (select $8::bigint)
                        ) as above
                    )
                    limit 1000
                ) as page
                where coalesce(nearer_bytes, 0) < (select $9::bigint)
            ),
            'position', json_build_object(
                'epoch', (select epoch from instance where singleton = 1),
                'seq', c.seq, 'number', c.number
            )
        ))
    end
)::text
-- include: from_member
