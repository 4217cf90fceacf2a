-- What happens in a conversation beside new messages: a durable event each, with a `seq` of its own
-- between those of the messages.

-- A row says that something changed, not into what: a message's text stands in `messages` alone, so
-- that one deleted is gone. `user_id` is whom it is about: the writer, or who came or went.
create table changes (
    conversation_id bigint not null,
    seq bigint not null,
    kind text not null
        constraint changes_kind_known check (kind in ('edited', 'deleted', 'joined', 'left')),
    message_id bigint,
    user_id bigint not null,
    actor_id bigint not null,
    created_at timestamptz not null,
    constraint changes_pkey primary key (conversation_id, seq),
    constraint changes_of_messages_name_one
        check ((kind in ('edited', 'deleted')) = (message_id is not null))
);

-- When somebody last ceased to be a member: an entry that was granted before is looked at again.
alter table conversations add column left_seq bigint not null default 0;
