-- Store::append of several sends that all are as they should be, which is how nearly every batch
-- is: it stores all of them, or answers nothing and stores none, and messages/append judges each.
-- Nothing is judged, numbered or reported by the send here, so that a send costs little more than
-- its row. Index, each once a sender: users_pkey, sessions_pkey, members_pkey (index only); once a
-- reply: messages_pkey; once a conversation: conversations_pkey; once a batch: instance_pkey.
-- Inserts a row a send, updates one a conversation.
--
-- $1 to $3 are the conversations: ids, how many are sent there, the newest time of those. $4 to $7
-- are the senders: conversations, users, sessions, the newest time of what each sends. $8 is each
-- send's sender, counted from one, $9 which one of its conversation it is, also from one, $10 the
-- newest time up to it there, $11 the text, $12 client_message_id, $13 reply_to, $14 mentions as an
-- array within the text. Each is an array; of the last three one that holds nothing but nulls may
-- be empty. Times are milliseconds.
--
-- Nobody looks whether a client_message_id was there before: one that was breaks
-- messages_client_id_unique, and nothing is stored then, either.
--
-- What messages/append says about locking and planning holds here, too.
with input as materialized (
    select
        $1::bigint[] as conversations, $2::bigint[] as counts, $3::bigint[] as newest,
        $4::bigint[] as rooms, $5::bigint[] as users, $6::text[] as sessions,
        $7::bigint[] as until, $8::bigint[] as senders, $9::bigint[] as ordinals,
        $10::bigint[] as times, $11::text[] as contents, $12::text[] as client_message_ids,
        $13::bigint[] as replies, $14::text[] as mentions
),
locked as materialized (
    select id, seq, number, (extract(epoch from active_at) * 1000)::bigint as active_at
    from conversations
    where id = any (array(select unnest(conversations) from input))
    order by id
    for no key update
),
room as materialized (
    select locked.id, locked.seq, locked.number, locked.active_at, room.sends, room.newest
    from input
    cross join unnest(input.conversations, input.counts, input.newest) as room (id, sends, newest)
    join locked on locked.id = room.id
),
known as materialized (
    select
        sender.place, sender.user_id, login.username, locked.id as conversation_id, locked.seq,
        locked.number, locked.active_at
    from input
    cross join unnest(input.rooms, input.users, input.sessions, input.until) with ordinality
        as sender (conversation_id, user_id, session_id, until, place)
    join locked on locked.id = sender.conversation_id
    cross join lateral (
        select u.username
        from sessions s
        join users u on u.id = s.user_id and u.is_active
        where s.id = sender.session_id and s.user_id = sender.user_id and s.revoked_at is null
            and s.expires_at > timestamptz 'epoch' + sender.until * interval '1 millisecond'
        limit 1
    ) as login
    cross join lateral (
        select
        from members
        where conversation_id = sender.conversation_id and user_id = sender.user_id
        limit 1
    ) as member
),
-- One row with an id for each send, or none.
allowed as materialized (
    select (select array_agg(nextval('messages_id_seq')) from unnest(input.senders)) as ids
    from input
    where (select count(*) from known) = cardinality(input.users)
        and not exists (
            select
            from unnest(input.replies, input.senders) as send (reply_to, sender)
            where send.reply_to is not null and not exists (
                select
                from messages
                where id = send.reply_to and conversation_id = (
                    select conversation_id from known where place = send.sender
                )
            )
        )
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at)
    select
        allowed.ids[send.place], known.conversation_id, known.seq + send.ordinal,
        known.number + send.ordinal, known.user_id, send.content, send.client_message_id,
        send.reply_to, send.mentions::bigint[],
        timestamptz 'epoch' + greatest(known.active_at, send.now) * interval '1 millisecond'
    from allowed
    cross join input
    cross join unnest(
        input.senders, input.ordinals, input.times, input.contents, input.client_message_ids,
        input.replies, input.mentions
    ) with ordinality as send (
        sender, ordinal, now, content, client_message_id, reply_to, mentions, place
    )
    join known on known.place = send.sender
),
advanced as (
    update conversations
    set
        seq = room.seq + room.sends,
        number = room.number + room.sends,
        active_at = timestamptz 'epoch'
            + greatest(room.active_at, room.newest) * interval '1 millisecond'
    from room
    where conversations.id = room.id and exists (select from allowed)
        and conversations.id = any (array(select id from room))
)
select concat(
    '{"epoch":', (select to_json(epoch) from instance where singleton = 1),
    ',"ids":[', array_to_string(ids, ','), '],"conversations":[', (
        select string_agg(concat('[', id, ',', seq, ',', number, ',', active_at, ']'), ',')
        from room
    ), '],"names":[', (
        select string_agg(to_json(username)::text, ',' order by place) from known
    ), ']}'
)
from allowed
