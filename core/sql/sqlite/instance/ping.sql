-- Store::ping. No table.
select '1'
