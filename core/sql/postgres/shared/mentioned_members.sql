-- The mentions of a row of `send` that are members of the conversation of a row of `authorized`, in
-- their order; null when none is. `offset 0` keeps each lookup a lookup. Index: members_pkey (index
-- only), once a mention.
case when send.mentions is not null then nullif(array(
    select mentioned.user_id
    from unnest(send.mentions::bigint[]) with ordinality as mentioned (user_id, position)
    where exists (
        select from members
        where conversation_id = authorized.conversation_id and user_id = mentioned.user_id
        offset 0
    )
    order by mentioned.position
), '{}') end
