-- Store::rotate_session. Index: sessions_pkey, users_pkey. One row.
-- Of two at once the second waits for the first one's row and judges it as it is then: that is
-- why everything is decided from the row being updated. A generation used before revokes; one
-- that lies ahead was lost with a restored backup, and is refused.
with rotated as (
    update sessions set
        generation = case when generation = $3 then generation + 1 else generation end,
        expires_at = case when generation = $3 then to_timestamp($5 / 1000.0) else expires_at end,
        revoked_at = case when generation = $3 then null else to_timestamp($4 / 1000.0) end
    where id = $1 and user_id = $2 and generation >= $3
        and revoked_at is null and expires_at > to_timestamp($4 / 1000.0)
        and exists (select from users where users.id = $2 and is_active)
    returning case when revoked_at is null then 'rotated' else 'reused' end as outcome
)
select to_json(coalesce((select outcome from rotated), 'refused'))::text
