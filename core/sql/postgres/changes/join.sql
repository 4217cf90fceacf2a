-- Store::add_member. Index, each once: users_pkey (two rows), sessions_pkey, members_pkey (two
-- rows), conversations_pkey, instance_pkey. Inserts two rows, updates one.
--
-- $1 to $3 are who asks and when; $4 the conversation, $5 who is to be a member. When another
-- transaction adds the same person at this moment, the answer is null, and the store asks again.
with locked as materialized (
    select id, kind, seq, active_at, created_by
    from conversations
    where id = $4
    for no key update
),
judged as materialized (
    select
        locked.seq + 1 as seq,
        greatest(locked.active_at, to_timestamp($3 / 1000.0)) as created_at,
        person.username,
        case
            when u.id is null then 'session'
            when locked.id is null then 'not_found'
            when member.user_id is null then 'not_member'
            when locked.kind = 'direct' then 'direct'
            when person.id is null then 'unknown_user'
            when present.user_id is not null then 'unchanged'
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
    left join users person on person.id = $5 and person.is_active
    left join members present on present.conversation_id = $4 and present.user_id = $5
),
admitted as (
    insert into members (conversation_id, user_id, joined_at)
    select $4, $5, judged.created_at
    from judged
    where judged.outcome = 'done'
    on conflict do nothing
    returning user_id
),
noted as (
    insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
    select $4, judged.seq, 'joined', $5, $1, judged.created_at
    from judged
    cross join admitted
),
advanced as (
    update conversations
    set seq = judged.seq
    from judged
    cross join admitted
    where conversations.id = $4
)
select (
    case
        when outcome in ('session', 'not_found', 'not_member')
            then json_build_object('denied', outcome)
        when outcome <> 'done' then json_build_object('ok', outcome)
        when not exists (select from admitted) then null
        else json_build_object('ok', json_build_object('done', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'event', json_build_object(
                'type', 'member', 'seq', judged.seq, 'user_id', $5::bigint,
                'username', judged.username, 'change', 'joined', 'by', $1::bigint,
                'timestamp', (extract(epoch from judged.created_at) * 1000)::bigint
            )
        )))
    end
)::text
from judged
