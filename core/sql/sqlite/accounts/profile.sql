-- Store::profile. Index: users_pkey, sessions_pkey. Two rows.
select case
    when u.id is null then json_object('denied', 'session')
    else json_object('ok', json_object(
        'id', u.id, 'username', u.username, 'email', u.email,
        'first_name', u.first_name, 'last_name', u.last_name
    ))
end
from (select 1) as one
-- include: left_join_caller
