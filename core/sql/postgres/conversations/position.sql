-- Store::position, beside every cached read: five rows by primary key, no message. Index:
-- users_pkey, sessions_pkey, conversations_pkey, members_pkey (index only), instance_pkey.
select (
    case
        -- include: denied
        else json_build_object('ok', json_build_object(
            'epoch', (select epoch from instance where singleton = 1),
            'seq', c.seq, 'number', c.number
        ))
    end
)::text
-- include: from_member
