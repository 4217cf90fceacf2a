-- Store::conversation. Index: sessions_pkey, users_pkey (one row a member), conversations_pkey,
-- members_pkey, messages_number_unique (the newest 100).
select (
    case
        when u.id is null then json_build_object('denied', 'session')
        when c.id is null then json_build_object('denied', 'not_found')
        when m.user_id is null then json_build_object('denied', 'not_member')
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
                join users u on u.id = m.user_id
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
                    limit 100
                ) as recent
            ),
            'created_at', (extract(epoch from c.created_at) * 1000)::bigint,
            'seq', c.seq, 'number', c.number
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
