-- Store::set_account_keys. Index: users_pkey, users_username_caseless_unique,
-- users_email_caseless_unique. At most one batch of accounts.
-- ?1 is a JSON array of [id, username key, e-mail key]; a key that is null or in use is left out.
update users set
    username_caseless = iif(
        exists (
            select 1 from users as other
            where coalesce(other.username_caseless, other.username_key) = given.username
                and other.id <> given.id
        ),
        username_caseless, coalesce(given.username, username_caseless)
    ),
    email_caseless = iif(
        exists (
            select 1 from users as other
            where coalesce(other.email_caseless, other.email_key) = given.email
                and other.id <> given.id
        ),
        email_caseless, coalesce(given.email, email_caseless)
    )
from (
    select value ->> 0 as id, value ->> 1 as username, value ->> 2 as email
    from json_each(?1)
) as given
where users.id = given.id
