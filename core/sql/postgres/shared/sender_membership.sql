-- The membership of a row of `sender`. Index: members_pkey (index only).
select user_id
from members
where conversation_id = sender.conversation_id and user_id = sender.user_id
limit 1
