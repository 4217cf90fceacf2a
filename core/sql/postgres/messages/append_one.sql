-- Store::append of one send that is as it should be, which is what people say in a quiet
-- conversation: it stores it, or answers nothing and stores nothing, and messages/append says why.
-- Making a statement ready to run costs more than running it on so few rows, so this one has as
-- few parts as it can.
-- Index, each once: members_by_user (index only), sessions_pkey, messages_pkey (reply_to),
-- conversations_pkey, users_pkey, instance_pkey. Inserts a row, updates one.
--
-- $1 to $3 are conversation, user and session; $4 the time in milliseconds, $5 the text, $6
-- client_message_id, $7 reply_to, $8 mentions as an array within the text.
--
-- Nobody looks whether a client_message_id was there before: one that was breaks
-- messages_client_id_unique, and nothing is stored then, either.
--
-- The update waits for other writers of its conversation and goes on from where they left it.
-- Everything else is seen as it was when the statement began.
with advanced as (
    update conversations
    set
        seq = conversations.seq + 1,
        number = conversations.number + 1,
        active_at = greatest(
            conversations.active_at, timestamptz 'epoch' + $4 * interval '1 millisecond'
        )
    from users
    where conversations.id = $1
        and users.id = $2 and users.is_active
        and exists (
            select
            from sessions
            where id = $3 and user_id = $2 and revoked_at is null
                and expires_at > timestamptz 'epoch' + $4 * interval '1 millisecond'
        )
        and exists (select from members where conversation_id = $1 and user_id = $2)
        and ($7::bigint is null or exists (
            select from messages where id = $7 and conversation_id = $1
        ))
    returning conversations.seq, conversations.number, conversations.active_at, users.username
),
stored as (
    insert into messages
        (conversation_id, seq, number, sender_id, content, client_message_id, reply_to, mentions,
        created_at)
    select $1, seq, number, $2, $5, $6, $7, $8::bigint[], active_at
    from advanced
    returning id
)
select concat(
    '{"epoch":', to_json(epoch), ',"stored":[', stored.id, ',', seq, ',', number, ',',
    (extract(epoch from active_at) * 1000)::bigint, ',', to_json(username), ']}'
)
from stored
cross join advanced
cross join instance
where instance.singleton = 1
