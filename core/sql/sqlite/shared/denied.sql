-- The branches of a `case` over from_member that deny access.
when u.id is null then json_object('denied', 'session')
when c.id is null then json_object('denied', 'not_found')
when m.user_id is null then json_object('denied', 'not_member')
