-- Store::profile. Index: users_pkey, sessions_pkey. Two rows.
select (
    case
        when u.id is null then json_build_object('denied', 'session')
        else json_build_object('ok', json_build_object(
            'id', u.id, 'username', u.username, 'email', u.email,
            'first_name', u.first_name, 'last_name', u.last_name
        ))
    end
)::text
from (select) as one
left join users u on u.id = $1 and u.is_active
    and exists (
        select from sessions s
        where s.id = $2 and s.user_id = $1
            and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
    )
