-- Store::append, step 2 of 3: moves the conversation on to the message of step 1, if one was
-- stored. Index: conversations_pkey, messages_number_unique. One row.
update conversations
set seq = m.seq, number = m.number, active_at = m.created_at
from messages m
where conversations.id = ?1
    and m.conversation_id = ?1 and m.number = conversations.number + 1
