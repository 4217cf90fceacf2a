-- Store::append of a single send without mentions that can be stored, the usual case in a quiet
-- conversation. It stores the send, or returns no row and stores nothing; messages/append_each then
-- returns why.
-- Starting a statement costs more than running it on so few rows, so this one has as few parts as
-- possible.
-- Index, each once: members_pkey (index only), sessions_pkey, messages_pkey (reply_to),
-- conversations_pkey, users_pkey, instance_pkey. Inserts a row, updates one.
--
-- $1 to $3 are the sender: user, session, time in milliseconds; $4 the conversation, $5 the text,
-- $6 client_message_id, $7 reply_to.
--
-- A repeated client_message_id is not looked up: it violates messages_client_id_unique, which
-- stores nothing either.
--
-- The update waits for other writers of its conversation and continues from their result, with an id
-- taken after the wait. Everything else is read from the statement's snapshot. The message's time is
-- that of shared/change_time; its id orders lists.
with advanced as (
    update conversations
    set
        seq = conversations.seq + 1,
        number = conversations.number + 1,
        active_at = greatest(
            timestamptz 'epoch' + $3 * interval '1 millisecond',
            case
                when conversations.active_at
                    <= timestamptz 'epoch' + ($3 + 10000) * interval '1 millisecond'
                    then conversations.active_at
            end
        ),
        activity = nextval('messages_id_seq')
    from (select) as one
    -- include: left_join_caller
    where conversations.id = $4 and u.id is not null
        and exists (select from members where conversation_id = $4 and user_id = $1)
        and ($7::bigint is null or exists (
            select from messages where id = $7 and conversation_id = $4
        ))
    returning
        conversations.activity as id, conversations.seq, conversations.number,
        conversations.active_at, u.username
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        created_at)
    select id, $4, seq, number, $1, $5, $6, $7, active_at
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
