-- Store::renew_epoch. Index: instance_pkey. One row.
with renewed as (
    update instance set epoch = $1
    where singleton = 1
    returning singleton
)
select exists (select from renewed)::text
