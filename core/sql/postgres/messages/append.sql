-- Store::append of sends of which one cannot be stored, or only looks for its earlier result: each
-- is judged for itself. What is all in order messages/append_one or messages/append_all has stored
-- before.
-- Index, each once a sender: users_pkey, sessions_pkey, members_pkey (index only); once a send:
-- messages_client_id_unique, messages_pkey (reply_to); once a conversation: conversations_pkey; once
-- a batch: instance_pkey. Inserts a row a send, updates one a conversation.
--
-- $1 to $3 are the senders: conversations, users, sessions. $4 is each send's sender, counted from
-- one, $5 the time in milliseconds, $6 the text; $7 client_message_id, $8 reply_to, $9 mentions as
-- an array within the text, $10 whether only an earlier result is looked for. Each is an array; of
-- the last four one that holds nothing but nulls may be empty.
--
-- The rows of `locked` are those of this moment: locking waits for other writers and reads the
-- row again. Everything else is seen as it was when the statement began, so a repeat whose first
-- send commits while this one waits is not seen as a duplicate. It then breaks
-- messages_client_id_unique; the store runs the statement again, and sees it.
--
-- The planner takes any input for ten rows. `limit 1` in what is looked up for each keeps it from
-- reading whole tables into a hash instead; so does `any (array (…))`. That the arrays stand in
-- `input` keeps their lengths from it: it would take every plan made for one batch alone for a
-- better one, and make one each time, where nobody has forbidden that.
--
-- Who sends is looked up once, arrays are cheaper to read than objects, and text is put together by
-- hand, since json_build_object asks for the type of every value anew.
with input as materialized (
    select
        $1::bigint[] as conversations, $2::bigint[] as users, $3::text[] as sessions,
        $4::bigint[] as senders, $5::bigint[] as times, $6::text[] as contents,
        $7::text[] as client_message_ids, $8::bigint[] as replies, $9::text[] as mentions,
        $10::boolean[] as repeats
),
sender as materialized (
    select sender.*
    from input
    cross join unnest(input.conversations, input.users, input.sessions) with ordinality
        as sender (conversation_id, user_id, session_id, place)
),
-- In the order of ids, so that two batches never wait for each other. `no key` leaves members
-- free to refer to the row meanwhile.
locked as materialized (
    select id, seq, number, (extract(epoch from active_at) * 1000)::bigint as active_at
    from conversations
    where id = any (array(select conversation_id from sender))
    order by id
    for no key update
),
known as materialized (
    select
        sender.place, sender.conversation_id, sender.user_id,
        to_json(login.username)::text as name, login.expires_at,
        case
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
        end as denied,
        locked.seq, locked.number, locked.active_at
    from sender
    left join lateral (
        select u.username, (extract(epoch from s.expires_at) * 1000)::bigint as expires_at
        from sessions s
        join users u on u.id = s.user_id and u.is_active
        where s.id = sender.session_id and s.user_id = sender.user_id and s.revoked_at is null
        limit 1
    ) as login on true
    left join locked on locked.id = sender.conversation_id
    left join lateral (
        select user_id
        from members
        where conversation_id = sender.conversation_id and user_id = sender.user_id
        limit 1
    ) as member on true
),
judged as materialized (
    select
        send.place, send.now, send.content, send.client_message_id, send.reply_to, send.mentions,
        known.conversation_id, known.user_id, known.name, known.seq, known.number, known.active_at,
        earlier.id as earlier_id, earlier.seq as earlier_seq, earlier.number as earlier_number,
        earlier.created_at as earlier_created_at,
        case
            when known.expires_at > send.now then
                case
                    when known.denied is not null then known.denied
                    when earlier.id is not null then 'duplicate'
                    when send.dedup_only then 'not_a_duplicate'
                    when send.reply_to is null or exists (
                        select from messages
                        where id = send.reply_to and conversation_id = known.conversation_id
                    ) then 'stored'
                    else 'unknown_reply_to'
                end
            else 'session'
        end as outcome
    from input
    cross join unnest(
        input.senders, input.times, input.contents, input.client_message_ids, input.replies,
        input.mentions, input.repeats
    ) with ordinality as send (
        sender, now, content, client_message_id, reply_to, mentions, dedup_only, place
    )
    join known on known.place = send.sender
    left join lateral (
        select id, seq, number, created_at
        from messages
        where conversation_id = known.conversation_id and sender_id = known.user_id
            and client_message_id = send.client_message_id
        limit 1
    ) as earlier on true
),
numbered as materialized (
    select
        place, outcome, conversation_id, user_id, name, content, client_message_id, reply_to,
        mentions, earlier_id, earlier_seq, earlier_number, earlier_created_at,
        case when outcome = 'stored' then nextval('messages_id_seq') end as id,
        seq + count(*) filter (where outcome = 'stored') over so_far as seq,
        number + count(*) filter (where outcome = 'stored') over so_far as number,
        greatest(active_at, max(now) filter (where outcome = 'stored') over so_far) as created_at
    from judged
    window so_far as (partition by conversation_id order by place rows unbounded preceding)
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at)
    select
        id, conversation_id, seq, number, user_id, content, client_message_id, reply_to,
        mentions::bigint[], timestamptz 'epoch' + created_at * interval '1 millisecond'
    from numbered
    where outcome = 'stored'
),
advanced as (
    update conversations
    set
        seq = newest.seq,
        number = newest.number,
        active_at = timestamptz 'epoch' + newest.created_at * interval '1 millisecond'
    from (
        select
            conversation_id, max(seq) as seq, max(number) as number,
            max(created_at) as created_at
        from numbered
        where outcome = 'stored'
        group by conversation_id
    ) as newest
    where conversations.id = newest.conversation_id
        and conversations.id = any (array(
            select conversation_id from numbered where outcome = 'stored'
        ))
)
select concat(
    '{"epoch":', (select to_json(epoch) from instance where singleton = 1), ',"outcomes":[',
    string_agg(
        case outcome
            when 'stored' then concat(
                '{"stored":[', id, ',', seq, ',', number, ',', created_at, ',', name, ']}'
            )
            when 'duplicate' then concat(
                '{"duplicate":[', earlier_id, ',', earlier_seq, ',', earlier_number, ',',
                (extract(epoch from earlier_created_at) * 1000)::bigint, ',', name, ']}'
            )
            when 'not_a_duplicate' then '"not_a_duplicate"'
            when 'unknown_reply_to' then '"unknown_reply_to"'
            else concat('{"denied":"', outcome, '"}')
        end, ',' order by place
    ),
    ']}'
)
from numbered
