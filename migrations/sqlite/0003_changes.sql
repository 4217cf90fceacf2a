-- What happens in a conversation beside new messages: a durable event each, with a `seq` of its own
-- between those of the messages. The PostgreSQL file of the same name says more.
create table changes (
    conversation_id integer not null,
    seq integer not null,
    kind text not null
        constraint changes_kind_known check (kind in ('edited', 'deleted', 'joined', 'left')),
    message_id integer,
    user_id integer not null,
    actor_id integer not null,
    created_at integer not null,
    constraint changes_pkey primary key (conversation_id, seq),
    constraint changes_of_messages_name_one
        check ((kind in ('edited', 'deleted')) = (message_id is not null))
) strict, without rowid;

alter table conversations add column left_seq integer not null default 0;
