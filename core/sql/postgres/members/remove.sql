-- Store::remove_member. Index, each once: users_pkey (two rows), sessions_pkey, members_pkey (two
-- rows), conversations_pkey, instance_pkey. Deletes a row, inserts one, updates one.
--
-- $1 to $3 are the caller; $4 the conversation, $5 the member to remove. When a concurrent
-- transaction removes the same user, the result is null, and the store retries.
with
-- include: locked_conversation
checked as materialized (
    select
        c.seq + 1 as seq,
        -- include: change_time
        as created_at,
        target.username,
        case
            -- include: denied_outcome
            when c.kind = 'direct' then 'direct'
            when $5 <> $1 and c.created_by <> $1 then 'not_owner'
            when present.user_id is null then 'unchanged'
            else 'done'
        end as outcome
    -- include: from_locked_member
    left join users target on target.id = $5
    left join members present on present.conversation_id = $4 and present.user_id = $5
),
removed as (
    delete from members
    using checked
    where members.conversation_id = $4 and members.user_id = $5 and checked.outcome = 'done'
    returning members.user_id
),
recorded as (
    insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
    select $4, checked.seq, 'left', $5, $1, checked.created_at
    from checked
    cross join removed
),
advanced as (
    update conversations
    set seq = checked.seq, left_seq = checked.seq
    from checked
    cross join removed
    where conversations.id = $4
)
select (
    case
        -- include: denied_or_undone
        when not exists (select from removed) then null
        else json_build_object('ok', json_build_object('done', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'event', json_build_object(
                'type', 'member', 'seq', checked.seq, 'user_id', $5::bigint,
                'username', checked.username, 'change', 'left', 'by', $1::bigint,
                'timestamp', (extract(epoch from checked.created_at) * 1000)::bigint
            )
        )))
    end
)::text
from checked
