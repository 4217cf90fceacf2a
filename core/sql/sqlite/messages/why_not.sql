-- Store::append, once a batch, at its end: which history it was written into, and why each send of
-- ?1 would not be stored, in their order; read only for those that were not. Index: instance_pkey,
-- users_pkey, sessions_pkey, conversations_pkey, members_pkey, messages_client_id_unique. Five rows
-- a send.
select json_object('epoch', (
    select epoch from instance where singleton = 1
), 'why_not', json_group_array(
    json(case
        when u.id is null then json_object('denied', 'session')
        when c.id is null then json_object('denied', 'not_found')
        when m.user_id is null then json_object('denied', 'not_member')
        when d.id is not null then json_object('duplicate', json_array(
            d.id, d.seq, d.number, d.created_at, u.username
        ))
        when send.dedup_only then '"not_a_duplicate"'
        else '"unknown_reply_to"'
    end) order by send.place
))
from (
    select
        key as place,
        value ->> 'conversation_id' as conversation_id, value ->> 'sender_id' as sender_id,
        value ->> 'session_id' as session_id,
        value ->> 'client_message_id' as client_message_id, value ->> 'now' as now,
        value ->> 'dedup_only' as dedup_only
    from json_each(?1)
) as send
left join users u on u.id = send.sender_id and u.is_active = 1
    and exists (
        select 1 from sessions s
        where s.id = send.session_id and s.user_id = send.sender_id
            and s.revoked_at is null and s.expires_at > send.now
    )
left join conversations c on c.id = send.conversation_id
left join members m on m.conversation_id = c.id and m.user_id = send.sender_id
left join messages d on d.conversation_id = send.conversation_id
    and d.sender_id = send.sender_id and d.client_message_id = send.client_message_id
