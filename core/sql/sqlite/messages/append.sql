-- Store::append, one for each send: stores it right after the conversation's newest message,
-- which may be one of the same batch; `conversations` follows with messages/advance. Comes back
-- without a row when it may not be stored; messages/why_not then says why.
-- Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey, messages_number_unique,
-- messages_pkey (reply_to), messages_client_id_unique. One row.
insert into messages
    (conversation_id, seq, number, sender_id, content, client_message_id, reply_to, mentions,
    created_at)
select
    c.id,
    c.seq + coalesce(newest.number - c.number, 0) + 1,
    coalesce(newest.number, c.number) + 1,
    u.id, ?5, ?4, ?6, ?7,
    max(?8, c.active_at, coalesce(newest.created_at, 0))
from users u
join conversations c on c.id = ?1
join members m on m.conversation_id = c.id and m.user_id = u.id
left join messages newest on newest.conversation_id = c.id
    and newest.number = (select max(number) from messages where conversation_id = ?1)
where u.id = ?2 and u.is_active = 1 and ?9 = 0
    and exists (
        select 1 from sessions s
        where s.id = ?3 and s.user_id = ?2 and s.revoked_at is null and s.expires_at > ?8
    )
    and (
        ?6 is null
        or exists (select 1 from messages r where r.id = ?6 and r.conversation_id = ?1)
    )
on conflict (conversation_id, sender_id, client_message_id)
    where client_message_id is not null
    do nothing
returning json_object('stored', json_array(
    id, seq, number, created_at, (select username from users where users.id = ?2)
))
