-- Store::append, once per batch, after its sends: advances the conversations of ?1 to their newest
-- messages. Index: conversations_pkey, messages_number_unique. One row per conversation.
update conversations
set seq = conversations.seq + newest.number - conversations.number,
    number = newest.number,
    active_at = newest.created_at,
    activity = newest.id
from messages newest
where conversations.id in (select value from json_each(?1))
    and newest.conversation_id = conversations.id
    and newest.number = (
        select max(number) from messages where conversation_id = conversations.id
    )
    and newest.number > conversations.number
