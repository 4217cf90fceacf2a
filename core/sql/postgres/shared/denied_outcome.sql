-- The branches of a `case` over from_locked_member that deny a change.
when u.id is null then 'session'
when c.id is null then 'not_found'
when m.user_id is null then 'not_member'
