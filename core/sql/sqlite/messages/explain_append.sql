-- Store::append, once per batch, last step: the epoch, and for each send of ?1 why it was not
-- stored; the store ignores the reason of a send that was. Index: instance_pkey, users_pkey,
-- sessions_pkey, conversations_pkey, members_pkey, messages_client_id_unique. Five rows per send.
select json_object('epoch', (
    select epoch from instance where singleton = 1
), 'reasons', json_group_array(
    json(case
        -- include: denied
        when earlier.id is not null then json_object('duplicate', json_array(
            earlier.id, earlier.seq, earlier.number, earlier.created_at, u.username
        ))
        when send.dedup_only then '"not_a_duplicate"'
        else '"unknown_reply_to"'
    end) order by send.position
))
from (
    select
        key as position,
        value ->> 'conversation_id' as conversation_id, value ->> 'sender_id' as sender_id,
        value ->> 'session_id' as session_id,
        value ->> 'client_message_id' as client_message_id, value ->> 'now' as now,
        value ->> 'dedup_only' as dedup_only
    from json_each(?1)
) as send
-- include: left_join_sender
left join conversations c on c.id = send.conversation_id
left join members m on m.conversation_id = c.id and m.user_id = send.sender_id
left join messages earlier on earlier.conversation_id = send.conversation_id
    and earlier.sender_id = send.sender_id and earlier.client_message_id = send.client_message_id
