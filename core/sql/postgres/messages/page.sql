-- Store::messages. A page is a part below one number and a part above another: at most $6 messages
-- below $5, the nearest, and at most $8 above $7.
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
                        select * from messages
                        where conversation_id = c.id and number < (select $5::bigint)
                        order by number desc
                        limit (select $6::bigint)
                    )
                    union all
                    (
                        select * from messages
                        where conversation_id = c.id and number > (select $7::bigint)
                        order by number
                        limit (select $8::bigint)
                    )
                    limit 1000
                ) as page
            ),
            'position', json_build_object(
                'epoch', (select epoch from instance where singleton = 1),
                'seq', c.seq, 'number', c.number
            )
        ))
    end
)::text
-- include: from_member
