-- Store::conversation. Index: sessions_pkey, users_pkey (one row per member), conversations_pkey,
-- members_pkey, messages_number_unique (the newest 100).
select (
    case
        -- include: denied
        else json_build_object('ok', json_build_object(
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
            -- include: conversation_fields
        ))
    end
)::text
-- include: from_member
