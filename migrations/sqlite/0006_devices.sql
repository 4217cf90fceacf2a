-- From where each account was used lately. The PostgreSQL file of the same name says more.
create table devices (
    user_id integer not null constraint devices_user_exists references users (id) on delete cascade,
    key text not null,
    used_at integer not null,
    constraint devices_pkey primary key (user_id, key)
) strict, without rowid;
