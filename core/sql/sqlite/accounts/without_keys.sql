-- Store::accounts_without_keys. Reads accounts in the order of users_pkey and skips those whose
-- lower-case key is ASCII, since that is their key; after migrations only.
select json_group_array(json_object('id', id, 'username', username, 'email', email))
from (
    select id, iif(has_no_username_key, username, null) as username,
        iif(has_no_email_key, email, null) as email
    from (
        select id, username, email,
            username_caseless is null
                and length(cast(username_key as blob)) > length(username_key) as has_no_username_key,
            email_caseless is null
                and length(cast(email_key as blob)) > length(email_key) as has_no_email_key
        from users
        where id > ?1
    )
    where has_no_username_key or has_no_email_key
    order by id
    limit ?2 + 0
)
