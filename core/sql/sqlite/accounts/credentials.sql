-- Store::credentials. Index: users_username_unique, devices_pkey. One row.
select json_object(
    'user', json_object(
        'id', id, 'username', username, 'email', email,
        'first_name', first_name, 'last_name', last_name
    ),
    'password_hash', password_hash,
    'devices', json((
        select json_group_array(json_object('key', key, 'used_at', used_at))
        from devices
        where devices.user_id = users.id
    ))
)
from users
where username_key = ?1 and is_active = 1
