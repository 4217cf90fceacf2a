-- Store::edit_message, at its end: why nothing would change; read only when nothing did. The
-- parameters are those of step 1. Index: users_pkey, sessions_pkey, conversations_pkey,
-- members_pkey, messages_pkey. Five rows.
select case
    when u.id is null then json_object('denied', 'session')
    when c.id is null then json_object('denied', 'not_found')
    when m.user_id is null then json_object('denied', 'not_member')
    when message.id is null then json_object('ok', 'unknown_message')
    when message.sender_id <> ?1 then json_object('ok', 'not_sender')
    when message.content = coalesce(?6, '') then json_object('ok', 'unchanged')
    else json_object('ok', 'deleted')
end
from (select 1) as one
left join users u on u.id = ?1 and u.is_active = 1
    and exists (
        select 1 from sessions s
        where s.id = ?2 and s.user_id = ?1 and s.revoked_at is null and s.expires_at > ?3
    )
left join conversations c on c.id = ?4
left join members m on m.conversation_id = c.id and m.user_id = ?1
left join messages message on message.id = ?5 and message.conversation_id = ?4
