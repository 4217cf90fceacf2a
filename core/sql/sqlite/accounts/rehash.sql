-- Store::open_session, step 2, when the stored password hash uses other parameters. Index:
-- users_pkey. One row.
update users set password_hash = ?2
where id = ?1 and is_active = 1
