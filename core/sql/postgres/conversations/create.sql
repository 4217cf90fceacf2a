-- Store::create_conversation. Index: sessions_pkey, users_pkey (one row an id),
-- conversations_direct_unique, members_pkey (one row a member), messages_number_unique (the
-- newest 100 of a pair's).
-- When another transaction makes the pair's conversation at this moment, `on conflict` sees it
-- and the rest of the statement does not: then the answer is null, and the store asks again.
with caller as materialized (
    select u.id
    from sessions s
    join users u on u.id = s.user_id and u.is_active
    where s.id = $2 and s.user_id = $1
        and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
),
others as materialized (
    select value::bigint as id from json_array_elements_text($4::json)
),
unknown as materialized (
    select id
    from others
    where (select is_active from users where users.id = others.id) is not true
),
existing as materialized (
    select id, kind, name, created_at, seq, number
    from conversations
    where direct_key = $5
),
created as (
    insert into conversations (kind, name, direct_key, active_at, created_by, created_at)
    select $6, $7, $5, to_timestamp($3 / 1000.0), caller.id, to_timestamp($3 / 1000.0)
    from caller
    where not exists (select from unknown) and not exists (select from existing)
    on conflict (direct_key) where direct_key is not null do nothing
    returning id, kind, name, created_at, seq, number
),
populated as (
    insert into members (conversation_id, user_id, joined_at)
    select created.id, people.id, created.created_at
    from created
    cross join (select id from caller union all select id from others) as people
),
found as (
    select 'created' as outcome, created.* from created
    union all
    select 'existing', existing.* from existing
)
select (
    case
        when not exists (select from caller) then json_build_object('denied', 'session')
        when exists (select from unknown) then json_build_object('ok', json_build_object(
            'unknown', (select json_agg(id order by id) from unknown)
        ))
        else (
            select json_build_object('ok', json_build_object(c.outcome, json_build_object(
                'id', c.id, 'kind', c.kind, 'name', c.name,
                -- Of a pair's conversation the members are these same two.
                'participants', (
                    select json_agg(
                        json_build_object(
                            'id', u.id, 'username', u.username, 'email', u.email,
                            'first_name', u.first_name, 'last_name', u.last_name
                        ) order by u.id
                    )
                    from (select id from caller union all select id from others) as people
                    cross join lateral (select * from users where id = people.id limit 1) as u
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
            )))
            from found as c
        )
    end
)::text
