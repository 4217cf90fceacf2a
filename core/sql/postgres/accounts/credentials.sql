-- Store::credentials. Index: users_username_unique, devices_pkey. One row.
select (
    select json_build_object(
        'user', json_build_object(
            'id', id, 'username', username, 'email', email,
            'first_name', first_name, 'last_name', last_name
        ),
        'password_hash', password_hash,
        'devices', array(
            select json_build_object(
                'key', key, 'used_at', (extract(epoch from used_at) * 1000)::bigint
            )
            from devices
            where devices.user_id = users.id
        )
    )
    from users
    where username_key = $1 and is_active
)::text
