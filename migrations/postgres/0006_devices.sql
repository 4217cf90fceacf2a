-- From where each account was used lately: a login from there is exempt from the limits that apply to
-- an account as a whole, so that guesses from elsewhere do not lock its owner out. `key` is a keyed hash of the
-- account and the network of the client's address.
create table devices (
    user_id bigint not null constraint devices_user_exists references users (id) on delete cascade,
    key text not null,
    used_at timestamptz not null,
    constraint devices_pkey primary key (user_id, key)
);
