-- Store::create_user. Index: users_username_caseless_unique, users_email_caseless_unique, and those of
-- the lower-case keys. One row.
-- When a concurrent transaction inserts the same name, `on conflict` detects it but the statement's
-- snapshot does not show it: neither is then reported as taken, and the store retries.
with created as (
    insert into users
        (username, username_key, username_caseless, email, email_key, email_caseless,
        password_hash, first_name, last_name, is_admin, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10 = 1, to_timestamp($11 / 1000.0))
    on conflict do nothing
    returning id, username, email, first_name, last_name
)
select (
    case
        when exists (select from created) then (
            select json_build_object('created', json_build_object(
                'id', id, 'username', username, 'email', email,
                'first_name', first_name, 'last_name', last_name
            ))
            from created
        )
        else json_build_object('taken', json_build_object(
            'username', exists (
                select from users where coalesce(username_caseless, username_key) in ($2, $3)
            ),
            'email', exists (
                select from users where coalesce(email_caseless, email_key) in ($5, $6)
            )
        ))
    end
)::text
