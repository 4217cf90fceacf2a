-- Store::set_account_keys. Index: users_pkey, users_username_caseless_unique,
-- users_email_caseless_unique. At most one batch of accounts.
-- $1 is a JSON array of [id, username key, e-mail key]; a key that is null or in use is left out.
with given as (
    select (value ->> 0)::bigint as id, value ->> 1 as username, value ->> 2 as email
    from json_array_elements($1::json)
)
update users set
    username_caseless = case
        when exists (
            select from users as other
            where coalesce(other.username_caseless, other.username_key) = given.username
                and other.id <> given.id
        ) then username_caseless
        else coalesce(given.username, username_caseless)
    end,
    email_caseless = case
        when exists (
            select from users as other
            where coalesce(other.email_caseless, other.email_key) = given.email
                and other.id <> given.id
        ) then email_caseless
        else coalesce(given.email, email_caseless)
    end
from given
where users.id = given.id
