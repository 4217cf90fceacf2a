-- Store::add_member, step 2: makes ?2 a member of conversation ?1, if step 1 has noted so. Index:
-- conversations_pkey, changes_pkey. One row.
insert into members (conversation_id, user_id, joined_at)
select c.id, ?2, noted.created_at
from conversations c
join changes noted on noted.conversation_id = c.id and noted.seq = c.seq + 1
where c.id = ?1
