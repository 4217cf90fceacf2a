-- Store::remove_member, step 1: notes it, right after the conversation's newest event. Without a row
-- when nothing is to change; changes/why_not_leave then says why.
-- ?1 to ?3 are who asks and when; ?4 the conversation, ?5 who is to be no member any more. Index:
-- users_pkey, sessions_pkey, conversations_pkey, members_pkey (two rows). One row.
insert into changes (conversation_id, seq, kind, user_id, actor_id, created_at)
select c.id, c.seq + 1, 'left', present.user_id, u.id, max(?3, c.active_at)
from users u
join conversations c on c.id = ?4
join members m on m.conversation_id = c.id and m.user_id = u.id
join members present on present.conversation_id = c.id and present.user_id = ?5
where u.id = ?1 and u.is_active = 1
    and exists (
        select 1 from sessions s
        where s.id = ?2 and s.user_id = ?1 and s.revoked_at is null and s.expires_at > ?3
    )
    and c.kind <> 'direct' and ?1 in (present.user_id, c.created_by)
returning json_object('done', json_object(
    'epoch', (select epoch from instance where singleton = 1),
    'event', json_object(
        'type', 'member', 'seq', seq, 'user_id', user_id,
        'username', (select username from users where users.id = changes.user_id),
        'change', kind, 'by', actor_id, 'timestamp', created_at
    )
))
