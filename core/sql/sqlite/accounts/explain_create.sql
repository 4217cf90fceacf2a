-- Store::create_user, step 2: which names are taken; read only when step 1 inserted nothing.
-- Index: users_username_caseless_unique, users_email_caseless_unique. Four index entries.
select json_object(
    'username', json(iif(
        exists (select 1 from users where coalesce(username_caseless, username_key) in (?1, ?2)),
        'true', 'false'
    )),
    'email', json(iif(
        exists (select 1 from users where coalesce(email_caseless, email_key) in (?3, ?4)),
        'true', 'false'
    ))
)
