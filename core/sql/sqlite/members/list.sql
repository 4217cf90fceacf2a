-- Store::members. At most ?6 members with an id above ?5, by id. Index: users_pkey (and one row a
-- member shown), sessions_pkey, conversations_pkey, members_pkey (a range no longer than the page).
-- LIMIT: with a bare parameter SQLite prepares the statement again on every call.
select case
    -- include: denied
    else json_object('ok', json((
        select json_group_array(
            json_object(
                'id', u.id, 'username', u.username,
                'first_name', u.first_name, 'last_name', u.last_name,
                'joined_at', page.joined_at
            ) order by u.id
        )
        from (
            select user_id, joined_at from members
            where conversation_id = c.id and user_id > ?5
            order by user_id
            limit ?6 + 0
        ) as page
        join users u on u.id = page.user_id
    )))
end
-- include: from_member
