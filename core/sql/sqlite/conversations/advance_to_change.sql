-- Store::edit_message, add_member and remove_member, last writing step: advances conversation ?1 to
-- the event that was recorded right after its newest one, if any. Index: conversations_pkey,
-- changes_pkey. One row.
update conversations
set seq = recorded.seq,
    left_seq = case recorded.kind when 'left' then recorded.seq else left_seq end
from changes recorded
where conversations.id = ?1
    and recorded.conversation_id = ?1 and recorded.seq = conversations.seq + 1
