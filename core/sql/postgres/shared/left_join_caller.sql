-- The caller's account as `u`: null unless $1 is an active user and $2 a session of theirs that is
-- neither revoked nor expired at $3, in milliseconds. Index: users_pkey, sessions_pkey.
left join users u on u.id = $1 and u.is_active
    and exists (
        select from sessions s
        where s.id = $2 and s.user_id = $1
            and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
    )
