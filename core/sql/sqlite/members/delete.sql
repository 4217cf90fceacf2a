-- Store::remove_member, step 2: ends ?2's membership of conversation ?1, if step 1 recorded the
-- event.
-- Index: members_pkey, conversations_pkey, changes_pkey. One row.
delete from members
where conversation_id = ?1 and user_id = ?2
    and exists (
        select 1
        from conversations c
        join changes recorded on recorded.conversation_id = c.id and recorded.seq = c.seq + 1
        where c.id = ?1
    )
