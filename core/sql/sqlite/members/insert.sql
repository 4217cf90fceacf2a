-- Store::add_member, step 2: makes ?2 a member of conversation ?1, if step 1 recorded the event.
-- Index: conversations_pkey, changes_pkey. One row.
insert into members (conversation_id, user_id, joined_at)
select c.id, ?2, recorded.created_at
from conversations c
join changes recorded on recorded.conversation_id = c.id and recorded.seq = c.seq + 1
where c.id = ?1
