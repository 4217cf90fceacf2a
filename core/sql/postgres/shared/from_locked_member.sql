-- As from_member, over the locked conversation.
from (select) as one
-- include: left_join_caller
left join locked c on true
left join members m on m.conversation_id = $4 and m.user_id = $1
