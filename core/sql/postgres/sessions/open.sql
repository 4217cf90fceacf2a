-- Store::open_session. No row when the account is deleted or inactive.
-- Index: users_pkey, sessions_pkey, devices_pkey. A few rows.
with opened as (
    insert into sessions (id, user_id, created_at, expires_at)
    select $1, id, to_timestamp($3 / 1000.0), to_timestamp($4 / 1000.0)
    from users
    where id = $2 and is_active
    returning user_id
),
rehashed as (
    update users set password_hash = $5
    from opened
    where users.id = opened.user_id and $5 is not null
),
used as (
    select user_id, $6::text as key, to_timestamp($3 / 1000.0) as used_at
    from opened
    where $6 is not null
),
-- include: remember_device
select 'true' from opened
