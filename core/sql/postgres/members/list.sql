-- Store::members. At most $6 members with an id above $5, by id. Index: users_pkey (and one row a
-- member shown), sessions_pkey, conversations_pkey, members_pkey (a range no longer than the page).
-- messages/page explains `(select $6)`.
select (
    case
        -- include: denied
        else json_build_object('ok', (
            select coalesce(json_agg(
                json_build_object(
                    'id', u.id, 'username', u.username,
                    'first_name', u.first_name, 'last_name', u.last_name,
                    'joined_at', (extract(epoch from page.joined_at) * 1000)::bigint
                ) order by u.id
            ), '[]')
            from (
                select user_id, joined_at from members
                where conversation_id = c.id and user_id > (select $5::bigint)
                order by user_id
                limit (select $6::bigint)
            ) as page
            cross join lateral (select * from users where id = page.user_id limit 1) as u
        ))
    end
)::text
-- include: from_member
