-- Store::admit, once for each socket that opens. Index: users_pkey, sessions_pkey,
-- conversations_pkey, members_pkey, instance_pkey. Five rows.
select case
    -- include: denied
    else json_object('ok', json_object(
        'position', json_object(
            'epoch', (select epoch from instance where singleton = 1),
            'seq', c.seq, 'number', c.number
        ),
        'last_removal_seq', c.left_seq
    ))
end
-- include: from_member
