-- Store::create_conversation. Index: sessions_pkey, users_pkey (one row per id),
-- conversations_direct_unique, members_pkey (one row per member), messages_number_unique (the
-- newest 100 of a direct conversation; shared/conversation_fields explains `(select 100)`).
--
-- When a concurrent transaction creates the direct conversation of the same two users,
-- `on conflict` detects it but the statement's snapshot does not show it: the result is null, and
-- the store retries.
with caller as materialized (
    select u.id
    from (select) as one
    -- include: left_join_caller
    where u.id is not null
),
others as materialized (
    select value::bigint as id from json_array_elements_text($4::json)
),
unknown as materialized (
    select id
    from others
    where (select is_active from users where users.id = others.id) is not true
),
existing as materialized (
    select id, kind, name, created_at, seq, number
    from conversations
    where direct_key = $5
),
created as (
    insert into conversations (kind, name, direct_key, active_at, activity, created_by, created_at)
    select
        $6, $7, $5, to_timestamp($3 / 1000.0), nextval('messages_id_seq'), caller.id,
        to_timestamp($3 / 1000.0)
    from caller
    where not exists (select from unknown) and not exists (select from existing)
    on conflict (direct_key) where direct_key is not null do nothing
    returning id, kind, name, created_at, seq, number
),
added as (
    insert into members (conversation_id, user_id, joined_at)
    select created.id, participant.id, created.created_at
    from created
    cross join (select id from caller union all select id from others) as participant
),
found as (
    select 'created' as outcome, created.* from created
    union all
    select 'existing', existing.* from existing
)
select (
    case
        when not exists (select from caller) then json_build_object('denied', 'session')
        when exists (select from unknown) then json_build_object('ok', json_build_object(
            'unknown', (select json_agg(id order by id) from unknown)
        ))
        else (
            select json_build_object('ok', json_build_object(c.outcome, json_build_object(
                -- An existing direct conversation has these same two members.
                'participants', (
                    select json_agg(
                        json_build_object(
                            'id', u.id, 'username', u.username, 'email', u.email,
                            'first_name', u.first_name, 'last_name', u.last_name
                        ) order by u.id <> $1, u.id
                    )
                    from (
                        select id from caller
                        union all
                        (select id from others order by id limit 99)
                    ) as participant
                    cross join lateral (select * from users where id = participant.id limit 1) as u
                ),
                'member_count', (select 1 + count(*) from others),
                -- include: conversation_fields
            )))
            from found as c
        )
    end
)::text
