-- Store::open_session and Store::rotate_session, after the device was remembered: the others of the
-- account are kept for 30 days, the 50 used last. Index: sessions_pkey, devices_pkey. A few rows.
delete from devices
where user_id = (select user_id from sessions where id = ?1) and key <> ?2
    and (
        used_at < ?3 - 2592000000
        or key in (
            select others.key from devices as others
            where others.user_id = devices.user_id and others.key <> ?2
            order by others.used_at desc
            limit -1 offset 49
        )
    )
