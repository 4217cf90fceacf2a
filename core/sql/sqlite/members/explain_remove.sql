-- Store::remove_member, last step: why nothing changed; read only in that case. The parameters are
-- those of step 1. Index: users_pkey, sessions_pkey, conversations_pkey, members_pkey. Four rows.
select case
    -- include: denied
    when c.kind = 'direct' then json_object('ok', 'direct')
    when ?1 not in (?5, c.created_by) then json_object('ok', 'not_owner')
    else json_object('ok', 'unchanged')
end
-- include: from_member
