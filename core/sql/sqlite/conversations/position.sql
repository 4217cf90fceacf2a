-- Store::position, beside every cached read: five rows by primary key, no message. Index:
-- users_pkey, sessions_pkey, conversations_pkey, members_pkey, instance_pkey.
select case
    -- include: denied
    else json_object('ok', json_object(
        'epoch', (select epoch from instance where singleton = 1),
        'seq', c.seq, 'number', c.number
    ))
end
-- include: from_member
