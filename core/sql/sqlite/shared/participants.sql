-- The members of a conversation `c` in JSON, for a caller (?1) who is one: the first hundred, the
-- caller first and the others by id, and how many there are. Index: members_pkey, users_pkey (one
-- row for each that is shown).
'participants', json((
    select json_group_array(
        json_object(
            'id', u.id, 'username', u.username, 'email', u.email,
            'first_name', u.first_name, 'last_name', u.last_name
        ) order by u.id <> ?1, u.id
    )
    from (
        select ?1 as user_id
        union all
        select * from (
            select user_id from members
            where conversation_id = c.id and user_id <> ?1
            order by user_id
            limit 99
        )
    ) as shown
    join users u on u.id = shown.user_id
)),
'member_count', (select count(*) from members where conversation_id = c.id),
