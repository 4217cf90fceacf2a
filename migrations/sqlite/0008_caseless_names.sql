-- Names that differ only in case, width or composition are one name. The PostgreSQL file of the same
-- name says more.
alter table users add column username_caseless text;
alter table users add column email_caseless text;

create unique index users_username_caseless_unique
    on users (coalesce(username_caseless, username_key));

create unique index users_email_caseless_unique on users (coalesce(email_caseless, email_key));
