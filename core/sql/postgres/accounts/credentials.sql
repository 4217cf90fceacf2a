-- Store::credentials. Index: users_username_unique. One row.
select (
    select json_build_object(
        'user', json_build_object(
            'id', id, 'username', username, 'email', email,
            'first_name', first_name, 'last_name', last_name
        ),
        'password_hash', password_hash
    )
    from users
    where username_key = $1 and is_active
)::text
