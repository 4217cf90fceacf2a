-- Store::revoke_session. No row when there is no such active session. Index: sessions_pkey. One
-- row.
update sessions set revoked_at = ?3
where id = ?1 and user_id = ?2 and revoked_at is null and expires_at > ?3
returning 'true'
