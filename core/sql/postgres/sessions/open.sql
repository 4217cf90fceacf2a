-- Store::open_session. No row when the account is deleted or inactive.
-- Index: users_pkey, sessions_pkey, devices_pkey. A few rows.
-- A device's time is written once a day at most. The others of the account are kept for 30 days, the
-- 50 used last.
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
remembered as (
    insert into devices (user_id, key, used_at)
    select user_id, $6, to_timestamp($3 / 1000.0)
    from opened
    where $6 is not null
    on conflict (user_id, key) do update set used_at = excluded.used_at
    where devices.used_at < excluded.used_at - interval '1 day'
),
forgotten as (
    delete from devices
    using opened
    where devices.user_id = opened.user_id and key <> $6
        and (
            used_at < to_timestamp($3 / 1000.0) - interval '30 days'
            or key in (
                select key from devices
                where user_id = $2 and key <> $6
                order by used_at desc
                offset 49
            )
        )
)
select 'true' from opened
