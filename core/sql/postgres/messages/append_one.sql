-- Store::append of one send, which is what people say in a quiet conversation: the same decisions
-- as messages/append makes for many, which says why they are made so. Making a statement ready to
-- run costs more than running it on so few rows, and this one is a third of that one.
-- Index, each once: users_pkey, sessions_pkey, members_pkey (index only), messages_client_id_unique,
-- messages_pkey (reply_to), conversations_pkey, instance_pkey. Inserts a row, updates one.
--
-- $1 to $3 are conversation, user and session; $4 the time in milliseconds, $5 the text, $6
-- client_message_id, $7 reply_to, $8 mentions as an array within the text, $9 whether only an
-- earlier result is looked for (1) or not (0).
with locked as materialized (
    select id, seq, number, (extract(epoch from active_at) * 1000)::bigint as active_at
    from conversations
    where id = $1
    for no key update
),
judged as materialized (
    select
        locked.id as conversation_id, login.user_id, to_json(login.username)::text as name,
        locked.seq + 1 as seq, locked.number + 1 as number,
        greatest(locked.active_at, $4) as created_at,
        earlier.id as earlier_id, earlier.seq as earlier_seq, earlier.number as earlier_number,
        earlier.created_at as earlier_created_at,
        case
            when login.user_id is null then 'session'
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
            when earlier.id is not null then 'duplicate'
            when $9 = 1 then 'no_repeat'
            when $7::bigint is null or exists (
                select from messages where id = $7 and conversation_id = $1
            ) then 'stored'
            else 'unknown_reply'
        end as outcome
    from (select) as one
    left join locked on true
    left join lateral (
        select u.id as user_id, u.username
        from sessions s
        join users u on u.id = s.user_id and u.is_active
        where s.id = $3 and s.user_id = $2 and s.revoked_at is null
            and s.expires_at > to_timestamp($4 / 1000.0)
    ) as login on true
    left join members member on member.conversation_id = $1 and member.user_id = $2
    left join lateral (
        select id, seq, number, created_at
        from messages
        where conversation_id = $1 and sender_id = $2 and client_message_id = $6
        limit 1
    ) as earlier on true
),
stored as (
    insert into messages
        (conversation_id, seq, number, sender_id, content, client_message_id, reply_to, mentions,
        created_at)
    select
        conversation_id, seq, number, user_id, $5, $6, $7, $8::bigint[],
        timestamptz 'epoch' + created_at * interval '1 millisecond'
    from judged
    where outcome = 'stored'
    returning id
),
advanced as (
    update conversations
    set
        seq = judged.seq,
        number = judged.number,
        active_at = timestamptz 'epoch' + judged.created_at * interval '1 millisecond'
    from judged
    where conversations.id = $1 and outcome = 'stored'
)
select concat(
    '{"epoch":', (select to_json(epoch) from instance where singleton = 1), ',"outcomes":[',
    case outcome
        when 'stored' then concat(
            '{"stored":[', (select id from stored), ',', seq, ',', number, ',', created_at, ',',
            name, ']}'
        )
        when 'duplicate' then concat(
            '{"duplicate":[', earlier_id, ',', earlier_seq, ',', earlier_number, ',',
            (extract(epoch from earlier_created_at) * 1000)::bigint, ',', name, ']}'
        )
        when 'no_repeat' then '"no_repeat"'
        when 'unknown_reply' then '"unknown_reply"'
        else concat('{"denied":"', outcome, '"}')
    end,
    ']}'
)
from judged
