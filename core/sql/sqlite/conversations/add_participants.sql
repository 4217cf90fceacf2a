-- Store::create_conversation, step 4: members for the conversation of step 2, the one without any.
-- Index: conversations_pkey, members_pkey. One row per member.
insert into members (conversation_id, user_id, joined_at)
select c.id, participant.id, c.created_at
from conversations c
join (select ?1 as id union all select value from json_each(?2)) as participant
where c.id = (select max(id) from conversations)
    and not exists (select 1 from members m where m.conversation_id = c.id)
