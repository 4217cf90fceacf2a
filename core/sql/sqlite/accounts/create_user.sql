-- Store::create_user, step 1. Index: users_username_caseless_unique, users_email_caseless_unique, and
-- those of the lower-case keys. One row.
-- No row when either name is taken; accounts/explain_create then says which.
insert into users
    (username, username_key, username_caseless, email, email_key, email_caseless,
    password_hash, first_name, last_name, is_admin, created_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
on conflict do nothing
returning json_object(
    'id', id, 'username', username, 'email', email,
    'first_name', first_name, 'last_name', last_name
)
