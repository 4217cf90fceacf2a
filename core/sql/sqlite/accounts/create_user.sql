-- Store::create_user, step 1. Index: users_username_unique, users_email_unique. One row.
-- No row when either name is taken; accounts/explain_create then says which.
insert into users
    (username, username_key, email, email_key, password_hash, first_name, last_name,
    is_admin, created_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
on conflict do nothing
returning json_object(
    'id', id, 'username', username, 'email', email,
    'first_name', first_name, 'last_name', last_name
)
