-- Store::join: one for every socket that opens. Index: users_pkey, sessions_pkey,
-- conversations_pkey, members_pkey (index only), instance_pkey. Five rows.
select (
    case
        when u.id is null then json_build_object('denied', 'session')
        when c.id is null then json_build_object('denied', 'not_found')
        when m.user_id is null then json_build_object('denied', 'not_member')
        else json_build_object('ok', json_build_object(
            'position', json_build_object(
                'epoch', (select epoch from instance where singleton = 1),
                'seq', c.seq, 'number', c.number
            ),
            'last_removal_seq', c.left_seq
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
