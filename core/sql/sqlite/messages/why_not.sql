-- Store::append, step 3 of 3: read only when step 1 stored nothing. Index: users_pkey,
-- sessions_pkey, conversations_pkey, members_pkey, messages_client_id_unique. Five rows.
select case
    when u.id is null then json_object('denied', 'session')
    when c.id is null then json_object('denied', 'not_found')
    when m.user_id is null then json_object('denied', 'not_member')
    when d.id is not null
        then json_object('duplicate', json_array(d.id, d.seq, d.number, d.created_at, u.username))
    else '"unknown_reply"'
end
from (select 1) as one
left join users u on u.id = ?2 and u.is_active = 1
    and exists (
        select 1 from sessions s
        where s.id = ?3 and s.user_id = ?2 and s.revoked_at is null and s.expires_at > ?5
    )
left join conversations c on c.id = ?1
left join members m on m.conversation_id = c.id and m.user_id = ?2
left join messages d on d.conversation_id = ?1 and d.sender_id = ?2 and d.client_message_id = ?4
