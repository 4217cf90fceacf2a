-- Store::edit_message. Index, each once: users_pkey, sessions_pkey, members_pkey (index only),
-- messages_pkey, conversations_pkey, instance_pkey. Updates two rows, inserts one.
--
-- $1 to $3 are the caller; $4 the conversation, $5 the message, $6 its new text, null to delete it.
-- `locked` is the current row, but the message is read from the statement's snapshot; `edited`
-- reads its current version and decides. When that version is deleted or has this text already, the
-- result is null, and the store retries.
with
-- include: locked_conversation
checked as materialized (
    select
        c.seq + 1 as seq,
        -- include: change_time
        as created_at,
        case
            -- include: denied_outcome
            when message.id is null then 'unknown_message'
            when message.sender_id <> $1 then 'not_sender'
            when message.content = coalesce($6::text, '') then 'unchanged'
            when message.content = '' then 'deleted'
            else 'done'
        end as outcome
    -- include: from_locked_member
    left join messages message on message.id = $5 and message.conversation_id = $4
),
edited as (
    update messages
    set content = coalesce($6::text, ''), version = messages.version + 1
    from checked
    where messages.id = $5 and checked.outcome = 'done'
        and messages.content not in ('', coalesce($6::text, ''))
    returning messages.version
),
recorded as (
    insert into changes (conversation_id, seq, kind, message_id, user_id, actor_id, created_at)
    select
        $4, checked.seq, case when $6::text is null then 'deleted' else 'edited' end, $5, $1, $1,
        checked.created_at
    from checked
    cross join edited
),
advanced as (
    update conversations
    set seq = checked.seq
    from checked
    cross join edited
    where conversations.id = $4
)
select (
    case
        -- include: denied_or_undone
        when not exists (select from edited) then null
        else json_build_object('ok', json_build_object('done', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'event', json_build_object(
                'type', case when $6::text is null then 'message.deleted' else 'message.edited' end,
                'seq', checked.seq, 'message_id', $5::bigint, 'message', $6::text,
                'version', (select version from edited), 'user_id', $1::bigint,
                'timestamp', (extract(epoch from checked.created_at) * 1000)::bigint
            )
        )))
    end
)::text
from checked
