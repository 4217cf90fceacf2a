-- Store::append: every send of the product comes through here. Index, each once a send:
-- users_pkey, sessions_pkey, conversations_pkey, members_pkey (index only),
-- messages_client_id_unique, messages_pkey (reply_to); once a batch instance_pkey. Inserts a row a
-- send, updates one a conversation.
--
-- The rows of `locked` are those of this moment: locking waits for other writers and reads the
-- row again. Everything else is seen as it was when the statement began, so a repeat whose first
-- send commits while this one waits is not seen as `earlier`. It then breaks
-- messages_client_id_unique; the store runs the statement again, and sees it.
--
-- `limit 1` in what is looked up for each send keeps the planner, which takes any input for a
-- hundred rows, from reading whole tables into a hash instead.
with input as materialized (
    select *
    from rows from (json_to_recordset($1::json) as (
        conversation_id bigint, sender_id bigint, session_id text, client_message_id text,
        content text, reply_to bigint, mentions bigint[], repeat_only boolean, now bigint
    )) with ordinality as send (
        conversation_id, sender_id, session_id, client_message_id,
        content, reply_to, mentions, repeat_only, now, place
    )
),
-- In the order of ids, so that two batches never wait for each other. `no key` leaves members
-- free to refer to the row meanwhile.
locked as materialized (
    select id, seq, number, active_at
    from conversations
    where id = any (array(select conversation_id from input))
    order by id
    for no key update
),
judged as materialized (
    select
        input.place, input.conversation_id, input.sender_id, input.repeat_only, sender.username,
        case
            when sender.id is null then 'session'
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
        end as denied,
        earlier.id as earlier_id, earlier.seq as earlier_seq, earlier.number as earlier_number,
        earlier.created_at as earlier_created_at,
        input.reply_to is null or exists (
            select from messages
            where id = input.reply_to and conversation_id = input.conversation_id
        ) as may_reply
    from input
    left join lateral (
        select u.id, u.username
        from sessions s
        join users u on u.id = s.user_id and u.is_active
        where s.id = input.session_id and s.user_id = input.sender_id
            and s.revoked_at is null and s.expires_at > to_timestamp(input.now / 1000.0)
        limit 1
    ) as sender on true
    left join locked on locked.id = input.conversation_id
    left join lateral (
        select user_id
        from members
        where conversation_id = input.conversation_id and user_id = input.sender_id
        limit 1
    ) as member on true
    left join lateral (
        select id, seq, number, created_at
        from messages
        where conversation_id = input.conversation_id and sender_id = input.sender_id
            and client_message_id = input.client_message_id
        limit 1
    ) as earlier on true
),
accepted as materialized (
    select
        judged.place,
        nextval('messages_id_seq') as id,
        locked.id as conversation_id,
        locked.seq + row_number() over earlier_here as seq,
        locked.number + row_number() over earlier_here as number,
        greatest(
            locked.active_at, to_timestamp(max(input.now) over earlier_here / 1000.0)
        ) as created_at,
        input.sender_id, input.content, input.client_message_id, input.reply_to, input.mentions
    from judged
    join input on input.place = judged.place
    join locked on locked.id = judged.conversation_id
    where judged.denied is null and judged.earlier_id is null and judged.may_reply
        and not judged.repeat_only
    window earlier_here as (partition by locked.id order by judged.place)
),
stored as (
    insert into messages
        (id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at)
    select
        id, conversation_id, seq, number, sender_id, content, client_message_id, reply_to,
        mentions, created_at
    from accepted
),
advanced as (
    update conversations
    set seq = newest.seq, number = newest.number, active_at = newest.created_at
    from (
        select
            conversation_id, max(seq) as seq, max(number) as number,
            max(created_at) as created_at
        from accepted
        group by conversation_id
    ) as newest
    where conversations.id = newest.conversation_id
)
select json_build_object('epoch', (
    select epoch from instance where singleton = 1
), 'outcomes', coalesce(json_agg(
    case
        when judged.denied is not null then json_build_object('denied', judged.denied)
        when judged.earlier_id is not null then json_build_object('duplicate', json_build_array(
            judged.earlier_id, judged.earlier_seq, judged.earlier_number,
            (extract(epoch from judged.earlier_created_at) * 1000)::bigint, judged.username
        ))
        when accepted.id is not null then json_build_object('stored', json_build_array(
            accepted.id, accepted.seq, accepted.number,
            (extract(epoch from accepted.created_at) * 1000)::bigint, judged.username
        ))
        when judged.repeat_only then to_json('no_repeat'::text)
        else to_json('unknown_reply'::text)
    end
    order by judged.place
), '[]'))::text
from judged
left join accepted on accepted.place = judged.place
