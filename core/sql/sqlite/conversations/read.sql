-- Store::conversation. Index: sessions_pkey, users_pkey (at most 100 members), conversations_pkey,
-- members_pkey, messages_number_unique (the newest 100).
select case
    -- include: denied
    else json_object('ok', json_object(
        -- include: conversation_fields
    ))
end
-- include: from_member
