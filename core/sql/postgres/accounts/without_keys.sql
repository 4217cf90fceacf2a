-- Store::accounts_without_keys. Reads accounts in the order of users_pkey and skips those whose
-- lower-case key is ASCII, since that is their key; after migrations only.
select coalesce(
    json_agg(json_build_object('id', id, 'username', username, 'email', email) order by id), '[]'
)::text
from (
    select id,
        case when has_no_username_key then username end as username,
        case when has_no_email_key then email end as email
    from users
    cross join lateral (
        select
            username_caseless is null and octet_length(username_key) > char_length(username_key)
                as has_no_username_key,
            email_caseless is null and octet_length(email_key) > char_length(email_key)
                as has_no_email_key
    ) as missing
    where id > $1 and (has_no_username_key or has_no_email_key)
    order by id
    limit $2
) as page
