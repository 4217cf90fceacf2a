-- Store::messages. Every page is a part below one number and a part above another:
-- at most $6 messages below $5, the nearest, and at most $8 above $7.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, instance_pkey,
-- messages_number_unique (a range no longer than the page), users_pkey again for the senders.
select (
    case
        when u.id is null then json_build_object('denied', 'session')
        when c.id is null then json_build_object('denied', 'not_found')
        when m.user_id is null then json_build_object('denied', 'not_member')
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
                        where conversation_id = c.id and number < $5
                        order by number desc
                        limit $6
                    )
                    union all
                    (
                        select * from messages
                        where conversation_id = c.id and number > $7
                        order by number
                        limit $8
                    )
                ) as page
            ),
            'position', json_build_object(
                'epoch', (select epoch from instance where singleton = 1),
                'seq', c.seq, 'number', c.number
            )
        ))
    end
)::text
from (select) as one
left join users u on u.id = $1 and u.is_active
    and exists (
        select from sessions s
        where s.id = $2 and s.user_id = $1
            and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
    )
left join conversations c on c.id = $4
left join members m on m.conversation_id = c.id and m.user_id = $1
