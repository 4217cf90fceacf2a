-- Store::credentials. Index: users_username_caseless_unique, devices_pkey. Two rows: an account whose key another
-- one has is found by its lower-case form, which comes first.
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
where coalesce(username_caseless, username_key) in (?1, ?2) and is_active = 1
order by coalesce(username_caseless, username_key) = ?2 desc
limit 1
