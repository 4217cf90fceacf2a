-- Store::rotate_session. Index: sessions_pkey, users_pkey, devices_pkey. A few rows.
-- Of two concurrent calls the second waits for the row lock of the first and then evaluates the
-- current version of the row, so everything is decided from that row. A call that repeats the newest
-- rotation since $6 changes nothing and returns its time; any other generation used before revokes
-- the session. No row when the session is not active, or when the generation is ahead (its rotation
-- was lost with a restored backup).
-- A device is remembered when the token was valid.
with rotated as (
    update sessions set
        generation = case when generation = $3 then generation + 1 else generation end,
        rotated_at = case when generation = $3 then to_timestamp($4 / 1000.0) else rotated_at end,
        expires_at = case when generation = $3 then to_timestamp($5 / 1000.0) else expires_at end,
        revoked_at = case
            when generation = $3 then null
            when generation = $3 + 1 and rotated_at >= to_timestamp($6 / 1000.0) then null
            else to_timestamp($4 / 1000.0)
        end
    where id = $1 and user_id = $2 and generation >= $3
        and revoked_at is null and expires_at > to_timestamp($4 / 1000.0)
        and exists (select from users where users.id = $2 and is_active)
    returning user_id, revoked_at is null as is_valid, rotated_at
),
used as (
    select user_id, $7::text as key, to_timestamp($4 / 1000.0) as used_at
    from rotated
    where is_valid and $7 is not null
),
-- include: remember_device
select (
    case
        when is_valid then json_build_object('rotated', json_build_object(
            'at', (extract(epoch from rotated_at) * 1000)::bigint
        ))
        else '"reused"'::json
    end
)::text
from rotated
