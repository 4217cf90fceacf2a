-- The time of a change to the conversation `c`: never before its newest message, unless that is more
-- than ten seconds ahead of $3, which a clock that ran ahead has left.
greatest(
    to_timestamp($3 / 1000.0),
    case when c.active_at <= to_timestamp(($3 + 10000) / 1000.0) then c.active_at end
)
