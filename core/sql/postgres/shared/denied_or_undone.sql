-- The branches of a `case` over a change's outcome when the change is not done.
when outcome in ('session', 'not_found', 'not_member')
    then json_build_object('denied', outcome)
when outcome <> 'done' then json_build_object('ok', outcome)
