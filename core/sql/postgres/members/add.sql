-- Store::add_member. Index, each once: users_pkey (two rows), sessions_pkey, members_pkey (two rows,
-- and all of the conversation for their count, index only), conversations_pkey (twice), instance_pkey.
-- Inserts two rows, updates one.
--
-- $1 to $3 are the caller; $4 the conversation, $5 the new member, $6 the most members of a group.
-- When a concurrent transaction adds the same user, the result is null, and the store retries.
--
-- The members are counted in the statement's snapshot. Each event that was stored since may have
-- added one (`c.seq - counted.seq`; the locked row is current). Where these decide whether the group
-- is full, the outcome and so the result is null too.
with
-- include: locked_conversation
counted as materialized (
    select seq, (
        select count(*)
        from (
            select from members
            where conversation_id = $4
            order by user_id
            limit (select $6::bigint)
        ) as present
    ) as members
    from conversations
    where id = $4
),
checked as materialized (
    select
        c.seq + 1 as seq,
        -- include: change_time
        as created_at,
        target.username,
        case
            -- include: denied_outcome
            when c.kind = 'direct' then 'direct'
            when target.id is null then 'unknown_user'
            when present.user_id is not null then 'unchanged'
            when counted.members >= $6 then 'full'
            when counted.members + c.seq - counted.seq >= $6 then null
            else 'done'
        end as outcome
    -- include: from_locked_member
    left join users target on target.id = $5 and target.is_active
    left join members present on present.conversation_id = $4 and present.user_id = $5
    left join counted on true
),
added as (
    insert into members (conversation_id, user_id, joined_at)
    select $4, $5, checked.created_at
    from checked
    where checked.outcome = 'done'
    on conflict do nothing
    returning user_id
),
recorded as (
    insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
    select $4, checked.seq, 'joined', $5, $1, checked.created_at
    from checked
    cross join added
),
advanced as (
    update conversations
    set seq = checked.seq
    from checked
    cross join added
    where conversations.id = $4
)
select (
    case
        -- include: denied_or_undone
        when not exists (select from added) then null
        else json_build_object('ok', json_build_object('done', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'event', json_build_object(
                'type', 'member', 'seq', checked.seq, 'user_id', $5::bigint,
                'username', checked.username, 'change', 'joined', 'by', $1::bigint,
                'timestamp', (extract(epoch from checked.created_at) * 1000)::bigint
            )
        )))
    end
)::text
from checked
