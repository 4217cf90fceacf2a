-- Store::rotate_session. Index: sessions_pkey, users_pkey. One row.
-- A call that repeats the newest rotation since ?6 changes nothing and returns its time; any other
-- generation used before revokes the session. No row when the session is not active, or when the
-- generation is ahead (its rotation was lost with a restored backup).
update sessions set
    generation = generation + (generation = ?3),
    rotated_at = iif(generation = ?3, ?4, rotated_at),
    expires_at = iif(generation = ?3, ?5, expires_at),
    revoked_at = case
        when generation = ?3 then null
        when generation = ?3 + 1 and rotated_at >= ?6 then null
        else ?4
    end
where id = ?1 and user_id = ?2 and generation >= ?3
    and revoked_at is null and expires_at > ?4
    and exists (select 1 from users where users.id = ?2 and is_active = 1)
returning iif(
    revoked_at is null,
    json_object('rotated', json_object('at', rotated_at)),
    '"reused"'
)
