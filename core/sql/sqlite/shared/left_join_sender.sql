-- As left_join_caller, for a row of `send`. Index: users_pkey, sessions_pkey.
left join users u on u.id = send.sender_id and u.is_active = 1
    and exists (
        select 1 from sessions s
        where s.id = send.session_id and s.user_id = send.sender_id
            and s.revoked_at is null and s.expires_at > send.now
    )
