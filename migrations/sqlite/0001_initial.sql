-- Accounts, logins, conversations, messages. Times are integer milliseconds since 1970.
-- The same tables as migrations/postgres/0001_initial.sql; that file says why they look so.

create table instance (
    singleton integer not null constraint instance_pkey primary key
        constraint instance_one_row check (singleton = 1),
    epoch text not null
) strict;

insert into instance (singleton, epoch) values (1, lower(hex(randomblob(8))));

-- autoincrement: the id of a deleted account is never given to another.
create table users (
    id integer not null constraint users_pkey primary key autoincrement,
    username text not null,
    username_key text not null constraint users_username_unique unique,
    email text not null,
    email_key text not null constraint users_email_unique unique,
    password_hash text not null,
    first_name text not null,
    last_name text not null,
    is_active integer not null default 1 constraint users_active_is_boolean check (is_active in (0, 1)),
    is_admin integer not null default 0 constraint users_admin_is_boolean check (is_admin in (0, 1)),
    created_at integer not null
) strict;

create table sessions (
    id text not null constraint sessions_pkey primary key,
    user_id integer not null constraint sessions_user_exists references users (id) on delete cascade,
    generation integer not null default 0,
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer
) strict, without rowid;

create table conversations (
    id integer not null constraint conversations_pkey primary key,
    kind text not null constraint conversations_kind_known check (kind in ('direct', 'group')),
    name text,
    direct_key text,
    seq integer not null default 0,
    number integer not null default 0,
    active_at integer not null,
    created_by integer not null,
    created_at integer not null,
    constraint conversations_direct_has_key check ((kind = 'direct') = (direct_key is not null)),
    constraint conversations_seq_counts_messages check (seq >= number)
) strict;

create unique index conversations_direct_unique on conversations (direct_key)
    where direct_key is not null;

create table members (
    conversation_id integer not null
        constraint members_conversation_exists references conversations (id) on delete cascade,
    user_id integer not null constraint members_user_exists references users (id),
    joined_at integer not null,
    constraint members_pkey primary key (conversation_id, user_id)
) strict, without rowid;

create index members_by_user on members (user_id);

create table messages (
    id integer not null constraint messages_pkey primary key,
    conversation_id integer not null,
    seq integer not null,
    number integer not null,
    sender_id integer not null,
    content text not null,
    client_message_id text,
    reply_to integer,
    -- A JSON array of user ids; null when there are none.
    mentions text,
    version integer not null default 1,
    created_at integer not null
) strict;

create unique index messages_number_unique on messages (conversation_id, number);

create unique index messages_client_id_unique
    on messages (conversation_id, sender_id, client_message_id)
    where client_message_id is not null;
