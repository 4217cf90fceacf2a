-- Store::revoke_session. No row when there is no such active session. Index: sessions_pkey. One
-- row.
update sessions set revoked_at = to_timestamp($3 / 1000.0)
where id = $1 and user_id = $2
    and revoked_at is null and expires_at > to_timestamp($3 / 1000.0)
returning 'true'
