-- One row: the caller `u` ($1 to $3), the conversation `c` ($4) and the caller's membership `m`,
-- each null where it is missing. Index: conversations_pkey, members_pkey (index only).
from (select) as one
-- include: left_join_caller
left join conversations c on c.id = $4
left join members m on m.conversation_id = c.id and m.user_id = $1
