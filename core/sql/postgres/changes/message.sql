-- Store::edit_message. Index, each once: users_pkey, sessions_pkey, members_pkey (index only),
-- messages_pkey, conversations_pkey, instance_pkey. Updates two rows, inserts one.
--
-- $1 to $3 are who asks and when; $4 the conversation, $5 the message, $6 its new text, null when
-- it is to be deleted. The row of `locked` is that of this moment, the message is seen as it was
-- when the statement began; `rewritten` reads it again and decides. When that finds it deleted
-- meanwhile, or with this text already, the answer is null, and the store asks again.
with locked as materialized (
    select id, seq, active_at
    from conversations
    where id = $4
    for no key update
),
judged as materialized (
    select
        locked.seq + 1 as seq,
        greatest(locked.active_at, to_timestamp($3 / 1000.0)) as created_at,
        case
            when u.id is null then 'session'
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
            when message.id is null then 'unknown_message'
            when message.sender_id <> $1 then 'not_sender'
            when message.content = coalesce($6::text, '') then 'unchanged'
            when message.content = '' then 'deleted'
            else 'done'
        end as outcome
    from (select) as one
    left join users u on u.id = $1 and u.is_active
        and exists (
            select from sessions s
            where s.id = $2 and s.user_id = $1
                and s.revoked_at is null and s.expires_at > to_timestamp($3 / 1000.0)
        )
    left join locked on true
    left join members member on member.conversation_id = $4 and member.user_id = $1
    left join messages message on message.id = $5 and message.conversation_id = $4
),
rewritten as (
    update messages
    set content = coalesce($6::text, ''), version = messages.version + 1
    from judged
    where messages.id = $5 and judged.outcome = 'done'
        and messages.content not in ('', coalesce($6::text, ''))
    returning messages.version
),
noted as (
    insert into changes (conversation_id, seq, kind, message_id, user_id, actor_id, created_at)
    select
        $4, judged.seq, case when $6::text is null then 'deleted' else 'edited' end, $5, $1, $1,
        judged.created_at
    from judged
    cross join rewritten
),
advanced as (
    update conversations
    set seq = judged.seq
    from judged
    cross join rewritten
    where conversations.id = $4
)
select (
    case
        when outcome in ('session', 'not_found', 'not_member')
            then json_build_object('denied', outcome)
        when outcome <> 'done' then json_build_object('ok', outcome)
        when not exists (select from rewritten) then null
        else json_build_object('ok', json_build_object('done', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'event', json_build_object(
                'type', case when $6::text is null then 'message.deleted' else 'message.edited' end,
                'seq', judged.seq, 'message_id', $5::bigint, 'message', $6::text,
                'version', (select version from rewritten), 'user_id', $1::bigint,
                'timestamp', (extract(epoch from judged.created_at) * 1000)::bigint
            )
        )))
    end
)::text
from judged
