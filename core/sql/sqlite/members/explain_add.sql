-- Store::add_member, last step: why nothing changed; read only in that case. The parameters are
-- those of step 1. Index: users_pkey (two rows), sessions_pkey, conversations_pkey, members_pkey (two
-- rows, and all of the conversation for their count).
select case
    -- include: denied
    when c.kind = 'direct' then json_object('ok', 'direct')
    when target.id is null then json_object('ok', 'unknown_user')
    when exists (select 1 from members where conversation_id = ?4 and user_id = ?5)
        then json_object('ok', 'unchanged')
    when (select count(*) from members where conversation_id = ?4) >= ?6
        then json_object('ok', 'full')
    else json_object('ok', 'unchanged')
end
-- include: from_member
left join users target on target.id = ?5 and target.is_active = 1
