-- Store::remove_member, step 1: records the event right after the conversation's newest one. No row
-- when nothing is to change; members/explain_remove then says why.
-- ?1 to ?3 are the caller; ?4 the conversation, ?5 the member to remove. Index: users_pkey,
-- sessions_pkey, conversations_pkey, members_pkey (two rows). One row.
insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
select
    c.id, c.seq + 1, 'left', present.user_id, u.id,
    -- include: change_time
-- include: from_member
join members present on present.conversation_id = c.id and present.user_id = ?5
where u.id is not null and m.user_id is not null
    and c.kind <> 'direct' and ?1 in (present.user_id, c.created_by)
returning json_object('done', json_object(
    'epoch', (select epoch from instance where singleton = 1),
    'event', json_object(
        'type', 'member', 'seq', seq, 'user_id', user_id,
        'username', (select username from users where users.id = changes.user_id),
        'change', kind, 'by', actor_id, 'timestamp', created_at
    )
))
