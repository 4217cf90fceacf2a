-- Store::edit_message, last step: why nothing changed; read only in that case. The parameters are
-- those of step 1. Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey,
-- messages_pkey. Five rows.
select case
    -- include: denied
    when message.id is null then json_object('ok', 'unknown_message')
    when message.sender_id <> ?1 then json_object('ok', 'not_sender')
    when message.content = coalesce(?6, '') then json_object('ok', 'unchanged')
    else json_object('ok', 'deleted')
end
-- include: from_member
left join messages message on message.id = ?5 and message.conversation_id = ?4
