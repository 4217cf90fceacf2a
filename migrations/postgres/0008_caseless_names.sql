-- Names that differ only in case, width or composition are one name. The new columns hold keys that the
-- application computes (`core::unicode`); `username_key` and `email_key` stay for servers of the
-- previous build. A null means that the lower-case key applies: to names whose key that is, to accounts
-- that share the new key with another one, and to accounts of a previous build until the keys are
-- computed, which follows the migrations.
alter table users
    add column username_caseless text,
    add column email_caseless text;

create unique index users_username_caseless_unique
    on users (coalesce(username_caseless, username_key));

create unique index users_email_caseless_unique on users (coalesce(email_caseless, email_key));
