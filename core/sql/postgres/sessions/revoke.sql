-- Store::revoke_session. Index: sessions_pkey. One row.
with revoked as (
    update sessions set revoked_at = to_timestamp($3 / 1000.0)
    where id = $1 and user_id = $2
        and revoked_at is null and expires_at > to_timestamp($3 / 1000.0)
    returning id
)
select exists (select from revoked)::text
