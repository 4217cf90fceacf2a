-- Store::add_member, step 1: records the event right after the conversation's newest one. No row
-- when nothing is to change; members/explain_add then says why.
-- ?1 to ?3 are the caller; ?4 the conversation, ?5 the new member, ?6 the most members of a group.
-- Index: users_pkey (two rows), sessions_pkey, conversations_pkey, members_pkey (two rows, and all of
-- the conversation for their count). One row.
insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
select
    c.id, c.seq + 1, 'joined', target.id, u.id,
    -- include: change_time
-- include: from_member
join users target on target.id = ?5 and target.is_active = 1
where u.id is not null and m.user_id is not null
    and c.kind <> 'direct'
    and not exists (
        select 1 from members present
        where present.conversation_id = ?4 and present.user_id = ?5
    )
    and (select count(*) from members where conversation_id = ?4) < ?6
returning json_object('done', json_object(
    'epoch', (select epoch from instance where singleton = 1),
    'event', json_object(
        'type', 'member', 'seq', seq, 'user_id', user_id,
        'username', (select username from users where users.id = changes.user_id),
        'change', kind, 'by', actor_id, 'timestamp', created_at
    )
))
