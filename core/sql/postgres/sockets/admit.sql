-- Store::admit, once for each socket that opens. Index: users_pkey, sessions_pkey,
-- conversations_pkey, members_pkey (index only), instance_pkey. Five rows.
select (
    case
        -- include: denied
        else json_build_object('ok', json_build_object(
            'position', json_build_object(
                'epoch', (select epoch from instance where singleton = 1),
                'seq', c.seq, 'number', c.number
            ),
            'last_removal_seq', c.left_seq
        ))
    end
)::text
-- include: from_member
