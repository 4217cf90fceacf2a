-- Store::renew_epoch. Index: instance_pkey. One row.
update instance set epoch = $1
where singleton = 1
