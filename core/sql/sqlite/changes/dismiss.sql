-- Store::remove_member, step 2: ?2 is no member of conversation ?1 any more, if step 1 has noted so.
-- Index: members_pkey, conversations_pkey, changes_pkey. One row.
delete from members
where conversation_id = ?1 and user_id = ?2
    and exists (
        select 1
        from conversations c
        join changes noted on noted.conversation_id = c.id and noted.seq = c.seq + 1
        where c.id = ?1
    )
