-- Remembers the row of `used` (user_id, key, used_at), if there is one, as a device. Its time is written
-- once a day at most. The others of the account are kept for 30 days, the 50 used last. Index:
-- devices_pkey. A few rows.
remembered as (
    insert into devices (user_id, key, used_at)
    select user_id, key, used_at
    from used
    on conflict (user_id, key) do update set used_at = excluded.used_at
    where devices.used_at < excluded.used_at - interval '1 day'
),
forgotten as (
    delete from devices
    using used
    where devices.user_id = used.user_id and devices.key <> used.key
        and (
            devices.used_at < used.used_at - interval '30 days'
            or devices.key in (
                select others.key from devices as others
                where others.user_id = used.user_id and others.key <> used.key
                order by others.used_at desc
                offset 49
            )
        )
)
