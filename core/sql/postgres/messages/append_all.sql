-- Store::append of several sends that can all be stored, as nearly every batch can: it stores all
-- of them, or returns no row and stores none; messages/append_each then decides for each. Sends are
-- numbered by the store, not here, so that a send costs little more than its row.
-- Index, each once per sender: users_pkey, sessions_pkey, members_pkey (index only); once per
-- reply: messages_pkey; once per mention: members_pkey (index only); once per conversation:
-- conversations_pkey; once per batch: instance_pkey. Inserts one row per send, updates one per
-- conversation.
--
-- $1 to $3 are the conversations: ids, number of sends, the newest time of those. $4 to $7 are the
-- senders: conversations, users, sessions, the newest time of each one's sends. $8 is the index of
-- each send's sender, from one, $9 its ordinal within its conversation, from one, $10 the newest
-- time in its conversation up to this send, $11 the text, $12 client_message_id, $13 reply_to, $14
-- mentions in array syntax. Each is an array; of $12 to $14 one that holds only nulls may be empty.
-- Times are milliseconds. $15 is the index of each conversation's last send, from one: its id orders
-- lists.
--
-- A repeated client_message_id is not looked up: it violates messages_client_id_unique, which
-- stores nothing either.
--
-- The notes on locking and planning in messages/append_each apply here, too.
with input as materialized (
    select
        $1::bigint[] as conversations, $2::bigint[] as counts, $3::bigint[] as newest,
        $4::bigint[] as sender_conversations, $5::bigint[] as users, $6::text[] as sessions,
        $7::bigint[] as until, $8::bigint[] as senders, $9::bigint[] as ordinals,
        $10::bigint[] as times, $11::text[] as contents, $12::text[] as client_message_ids,
        $13::bigint[] as replies, $14::text[] as mentions, $15::bigint[] as last
),
locked as materialized (
    select id, seq, number, (extract(epoch from active_at) * 1000)::bigint as active_at
    from conversations
    where id = any (array(select unnest(conversations) from input))
    order by id
    for no key update
),
target as materialized (
    select
        locked.id, locked.seq, locked.number, target.sends, target.newest, target.last,
        -- As shared/change_time: a time too far ahead does not count.
        case when locked.active_at <= target.newest + 10000 then locked.active_at else 0 end
            as active_at
    from input
    cross join unnest(input.conversations, input.counts, input.newest, input.last)
        as target (id, sends, newest, last)
    join locked on locked.id = target.id
),
authorized as materialized (
    select
        sender.position, sender.user_id, session.username, target.id as conversation_id, target.seq,
        target.number, target.active_at
    from input
    cross join unnest(
        input.sender_conversations, input.users, input.sessions, input.until
    ) with ordinality as sender (conversation_id, user_id, session_id, until, position)
    join target on target.id = sender.conversation_id
    cross join lateral (
        -- include: sender_session
    ) as session
    cross join lateral (
        -- include: sender_membership
    ) as member
    where session.expires_at > timestamptz 'epoch' + sender.until * interval '1 millisecond'
),
-- One row with an id for each send; no row when one of them cannot be stored.
allowed as materialized (
    select (select array_agg(nextval('messages_id_seq')) from unnest(input.senders)) as ids
    from input
    where (select count(*) from authorized) = cardinality(input.users)
        and not exists (
            select
            from unnest(input.replies, input.senders) as send (reply_to, sender)
            where send.reply_to is not null and not exists (
                select
                from messages
                where id = send.reply_to and conversation_id = (
                    select conversation_id from authorized where position = send.sender
                )
                offset 0
            )
        )
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at)
    select
        allowed.ids[send.position], authorized.conversation_id, authorized.seq + send.ordinal,
        authorized.number + send.ordinal, authorized.user_id, send.content, send.client_message_id,
        send.reply_to,
        -- include: mentioned_members
        , timestamptz 'epoch' + greatest(authorized.active_at, send.now) * interval '1 millisecond'
    from allowed
    cross join input
    cross join unnest(
        input.senders, input.ordinals, input.times, input.contents, input.client_message_ids,
        input.replies, input.mentions
    ) with ordinality as send (
        sender, ordinal, now, content, client_message_id, reply_to, mentions, position
    )
    join authorized on authorized.position = send.sender
    returning id, mentions
),
advanced as (
    update conversations
    set
        seq = target.seq + target.sends,
        number = target.number + target.sends,
        active_at = timestamptz 'epoch'
            + greatest(target.active_at, target.newest) * interval '1 millisecond',
        activity = allowed.ids[target.last]
    from target
    cross join allowed
    where conversations.id = target.id
        and conversations.id = any (array(select id from target))
)
select concat(
    '{"epoch":', (select to_json(epoch) from instance where singleton = 1),
    ',"ids":[', array_to_string(ids, ','), '],"conversations":[', (
        select string_agg(concat('[', id, ',', seq, ',', number, ',', active_at, ']'), ',')
        from target
    ), '],"names":[', (
        select string_agg(to_json(username)::text, ',' order by position) from authorized
    ), '],"mentions":[', (
        select string_agg(concat('[', id, ',[', array_to_string(mentions, ','), ']]'), ',')
        from stored
        where mentions is not null
    ), ']}'
)
from allowed
