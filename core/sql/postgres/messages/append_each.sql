-- Store::append of a batch in which a send cannot be stored, or only looks up its earlier result:
-- decides for each send. messages/append_one and messages/append_all store all other batches.
-- Index, each once per sender: users_pkey, sessions_pkey, members_pkey (index only); once per send:
-- messages_client_id_unique, messages_pkey (reply_to); once per mention: members_pkey (index only);
-- once per conversation: conversations_pkey; once per batch: instance_pkey. Inserts one row per send,
-- updates one per conversation.
--
-- $1 to $3 are the senders: conversations, users, sessions. $4 is the index of each send's sender,
-- from one, $5 the time in milliseconds, $6 the text; $7 client_message_id, $8 reply_to, $9
-- mentions in array syntax, $10 whether only an earlier result is looked up. Each is an array; of
-- the last four one that holds only nulls may be empty.
--
-- The rows of `locked` are current: locking waits for other writers and reads the row again.
-- Everything else is read from the statement's snapshot, so a repeat whose first send commits while
-- this statement waits is not seen as a duplicate. It then violates messages_client_id_unique; the
-- store runs the statement again, and the duplicate is visible.
--
-- The planner estimates any array at ten rows. `limit 1` in the lookups keeps it from hashing whole
-- tables instead, and so do `any (array (…))` and, in `exists`, `offset 0`. The arrays pass
-- through `input` to hide their lengths: the planner would otherwise estimate a custom plan as
-- cheaper than the generic plan, and plan every batch.
--
-- A sender is looked up once, arrays are cheaper to read than objects, and the JSON is
-- concatenated, since json_build_object looks up the type of every value.
with input as materialized (
    select
        $1::bigint[] as conversations, $2::bigint[] as users, $3::text[] as sessions,
        $4::bigint[] as senders, $5::bigint[] as times, $6::text[] as contents,
        $7::text[] as client_message_ids, $8::bigint[] as replies, $9::text[] as mentions,
        $10::boolean[] as dedup_only
),
sender as materialized (
    select sender.*
    from input
    cross join unnest(input.conversations, input.users, input.sessions) with ordinality
        as sender (conversation_id, user_id, session_id, position)
),
-- In the order of ids, so that two batches cannot deadlock. `no key` does not block inserts into
-- members, whose foreign key locks the row.
locked as materialized (
    select id, seq, number, (extract(epoch from active_at) * 1000)::bigint as active_at
    from conversations
    where id = any (array(select conversation_id from sender))
    order by id
    for no key update
),
authorized as materialized (
    select
        sender.position, sender.conversation_id, sender.user_id,
        to_json(session.username)::text as name,
        (extract(epoch from session.expires_at) * 1000)::bigint as expires_at,
        case
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
        end as denied,
        locked.seq, locked.number, locked.active_at
    from sender
    left join lateral (
        -- include: sender_session
    ) as session on true
    left join locked on locked.id = sender.conversation_id
    left join lateral (
        -- include: sender_membership
    ) as member on true
),
checked as materialized (
    select
        send.position, send.now, send.content, send.client_message_id, send.reply_to,
        -- include: mentioned_members
        as mentions,
        authorized.conversation_id, authorized.user_id, authorized.name, authorized.seq,
        authorized.number, authorized.active_at,
        earlier.id as earlier_id, earlier.seq as earlier_seq, earlier.number as earlier_number,
        earlier.created_at as earlier_created_at,
        case
            when authorized.expires_at > send.now then
                case
                    when authorized.denied is not null then authorized.denied
                    when earlier.id is not null then 'duplicate'
                    when send.dedup_only then 'not_a_duplicate'
                    when send.reply_to is null or exists (
                        select from messages
                        where id = send.reply_to and conversation_id = authorized.conversation_id
                        offset 0
                    ) then 'stored'
                    else 'unknown_reply_to'
                end
            else 'session'
        end as outcome
    from input
    cross join unnest(
        input.senders, input.times, input.contents, input.client_message_ids, input.replies,
        input.mentions, input.dedup_only
    ) with ordinality as send (
        sender, now, content, client_message_id, reply_to, mentions, dedup_only, position
    )
    join authorized on authorized.position = send.sender
    left join lateral (
        select id, seq, number, created_at
        from messages
        where conversation_id = authorized.conversation_id and sender_id = authorized.user_id
            and client_message_id = send.client_message_id
        limit 1
    ) as earlier on true
),
numbered as materialized (
    select
        position, outcome, conversation_id, user_id, name, content, client_message_id, reply_to,
        mentions, earlier_id, earlier_seq, earlier_number, earlier_created_at,
        case when outcome = 'stored' then nextval('messages_id_seq') end as id,
        seq + count(*) filter (where outcome = 'stored') over so_far as seq,
        number + count(*) filter (where outcome = 'stored') over so_far as number,
        -- As shared/change_time.
        greatest(
            case
                when active_at <= 10000 + max(now) filter (where outcome = 'stored') over so_far
                    then active_at
            end,
            max(now) filter (where outcome = 'stored') over so_far
        ) as created_at
    from checked
    window so_far as (partition by conversation_id order by position rows unbounded preceding)
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at)
    select
        id, conversation_id, seq, number, user_id, content, client_message_id, reply_to,
        mentions, timestamptz 'epoch' + created_at * interval '1 millisecond'
    from numbered
    where outcome = 'stored'
),
advanced as (
    update conversations
    set
        seq = newest.seq,
        number = newest.number,
        active_at = timestamptz 'epoch' + newest.created_at * interval '1 millisecond',
        activity = newest.activity
    from (
        select
            conversation_id, max(seq) as seq, max(number) as number,
            max(created_at) as created_at, max(id) as activity
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
                '{"stored":[', id, ',', seq, ',', number, ',', created_at, ',', name,
                ',[', array_to_string(mentions, ','), ']]}'
            )
            when 'duplicate' then concat(
                '{"duplicate":[', earlier_id, ',', earlier_seq, ',', earlier_number, ',',
                (extract(epoch from earlier_created_at) * 1000)::bigint, ',', name, ']}'
            )
            when 'not_a_duplicate' then '"not_a_duplicate"'
            when 'unknown_reply_to' then '"unknown_reply_to"'
            else concat('{"denied":"', outcome, '"}')
        end, ',' order by position
    ),
    ']}'
)
from numbered
