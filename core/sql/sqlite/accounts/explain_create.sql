-- Store::create_user, step 2: which names are taken; read only when step 1 inserted nothing.
-- Index: users_username_unique, users_email_unique. Two index entries.
select json_object(
    'username', json(iif(exists (select 1 from users where username_key = ?1), 'true', 'false')),
    'email', json(iif(exists (select 1 from users where email_key = ?2), 'true', 'false'))
)
