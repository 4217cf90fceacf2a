-- Store::edit_message, step 1: records the event right after the conversation's newest one. No row
-- when nothing is to change; messages/explain_edit then says why.
-- ?1 to ?3 are the caller; ?4 the conversation, ?5 the message, ?6 its new text, null to delete it.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, messages_pkey. One row.
insert into changes (conversation_id, seq, kind, message_id, user_id, actor_id, created_at)
select
    c.id, c.seq + 1, case when ?6 is null then 'deleted' else 'edited' end, message.id, u.id, u.id,
    -- include: change_time
-- include: from_member
join messages message on message.id = ?5
where u.id is not null and m.user_id is not null
    and message.conversation_id = c.id and message.sender_id = u.id
    and message.content not in ('', coalesce(?6, ''))
returning json_object('done', json_object(
    'epoch', (select epoch from instance where singleton = 1),
    'event', json_object(
        'type', case when ?6 is null then 'message.deleted' else 'message.edited' end,
        'seq', seq, 'message_id', message_id, 'message', ?6,
        'version', (select version + 1 from messages where messages.id = message_id),
        'user_id', user_id, 'timestamp', created_at
    )
))
