-- The last writing step of a change: moves conversation ?1 on to what was noted right after its
-- newest event, if anything was. Index: conversations_pkey, changes_pkey. One row.
update conversations
set seq = noted.seq,
    left_seq = case noted.kind when 'left' then noted.seq else left_seq end
from changes noted
where conversations.id = ?1 and noted.conversation_id = ?1 and noted.seq = conversations.seq + 1
