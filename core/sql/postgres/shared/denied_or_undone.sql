-- The branches of a `case` over the outcome of a change that was not made.
when outcome in ('session', 'not_found', 'not_member')
    then json_build_object('denied', outcome)
when outcome <> 'done' then json_build_object('ok', outcome)
