-- Store::append, one for each send: stores it right after the conversation's newest message, which
-- may be one of the same batch; conversations/advance_to_newest follows. No row when it may not be
-- stored; messages/explain_append then says why.
-- ?1 to ?3 are the sender: user, session, time; ?4 the conversation, ?5 the text, ?6
-- client_message_id, ?7 reply_to, ?8 mentions in JSON, ?9 whether only an earlier result is looked
-- up.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, messages_number_unique,
-- messages_pkey (reply_to), messages_client_id_unique, members_pkey again for each mention. One row.
insert into messages
    (conversation_id, seq, number, sender_id, content, client_message_id, reply_to, mentions,
    created_at)
select
    c.id,
    c.seq + coalesce(newest.number - c.number, 0) + 1,
    coalesce(newest.number, c.number) + 1,
    u.id, ?5, ?6, ?7,
    -- The mentioned members, in their order; null when none is.
    case when ?8 is not null then nullif((
        select json_group_array(mentioned.value order by mentioned.key)
        from json_each(?8) as mentioned
        where exists (
            select 1 from members where conversation_id = ?4 and user_id = mentioned.value
        )
    ), '[]') end,
    -- As shared/change_time, after the newest message, which may be one of the same batch.
    iif(
        coalesce(newest.created_at, c.active_at) > ?3 + 10000,
        ?3,
        max(?3, coalesce(newest.created_at, c.active_at))
    )
-- include: from_member
left join messages newest on newest.conversation_id = c.id
    and newest.number = (select max(number) from messages where conversation_id = ?4)
where u.id is not null and m.user_id is not null and ?9 = 0
    and (
        ?7 is null
        or exists (select 1 from messages r where r.id = ?7 and r.conversation_id = ?4)
    )
on conflict (conversation_id, sender_id, client_message_id)
    where client_message_id is not null
    do nothing
returning json_object('stored', json_array(
    id, seq, number, created_at, (select username from users where users.id = ?1),
    json(coalesce(mentions, '[]'))
))
