-- Store::ping. No row.
select '1'::text
