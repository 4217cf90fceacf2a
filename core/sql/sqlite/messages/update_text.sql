-- Store::edit_message, step 2: gives message ?2 of conversation ?1 the text ?3 (null to delete it),
-- if step 1 recorded the event. Index: conversations_pkey, changes_pkey, messages_pkey. One row.
update messages
set content = coalesce(?3, ''), version = version + 1
where id = ?2
    and exists (
        select 1
        from conversations c
        join changes recorded on recorded.conversation_id = c.id and recorded.seq = c.seq + 1
        where c.id = ?1
    )
