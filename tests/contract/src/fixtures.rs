//! What the cases share: users with sessions, conversations, sends.

use std::sync::Arc;

use colloquy_core::ports::{
    AppendOutcome, CachedSummaries, ChangeOutcome, CreatedConversation, CreatedUser, HistoryRange,
    ListedConversation, NewMessage, NewSession, Store, StoredEvent, StoredMessage,
};
use colloquy_proto::domain::{
    Caller, ClientMessageId, Conversation, ConversationId, ConversationKind, ConversationSummary,
    Message, MessageId, MessageNumber, MessageText, NewConversation, NewUser, Position, Seq,
    SessionId, Timestamp, User, UserId,
};
use colloquy_proto::protocol::Event;

/// The current time of every case.
pub(super) const NOW: Timestamp = Timestamp(1_900_000_000_123);

/// When every session expires.
pub(super) const LATER: Timestamp = Timestamp(NOW.0 + 1_000_000);

/// Texts that need escaping somewhere.
pub(super) const AWKWARD: &[&str] = &[
    "plain",
    "'; drop table messages; --",
    "\" \\ ' ` $1 ?1 :name %s {} \\u0041 \\",
    "two\nlines\tand\u{1}\u{7f} controls",
    "Grüße, 世界, שלום, 👩‍👩‍👧‍👦, \u{feff}\u{202e}\u{10ffff}",
    "{\"ok\": null}",
    " spaces at both ends ",
];

/// A user with a session.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) user: User,
    pub(super) caller: Caller,
}

impl Person {
    pub(super) const fn id(&self) -> UserId {
        self.user.id
    }
}

/// The user's conversations, at most a thousand, each in full.
pub(super) async fn list(store: &dyn Store, who: &Person) -> Vec<ConversationSummary> {
    let cached = CachedSummaries::default();
    let page = store
        .conversations(&who.caller, None, 1_000, &cached, NOW)
        .await;
    let listed = page.unwrap().unwrap().conversations.into_iter();
    listed.map(in_full).collect()
}

/// The summary of a conversation that was not cached.
pub(super) fn in_full(listed: ListedConversation) -> ConversationSummary {
    match listed {
        ListedConversation::Summary(summary) => *summary,
        ListedConversation::NotModified(id) => panic!("{id} is not cached"),
    }
}

/// An account to create.
pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password_hash: format!("hash of {name}"),
        first_name: "First".to_owned(),
        last_name: String::new(),
        is_admin: false,
    }
}

pub(super) async fn user(store: &dyn Store, name: &str) -> User {
    match store.create_user(&new_user(name), NOW).await.unwrap() {
        CreatedUser::Created(user) => user,
        taken @ CreatedUser::Taken { .. } => panic!("{name}: {taken:?}"),
    }
}

/// A session to open.
pub(super) fn new_session(user_id: UserId, id: &str) -> NewSession {
    NewSession {
        id: SessionId(id.into()),
        user_id,
        created_at: NOW,
        expires_at: LATER,
        rehashed_password: None,
        device: None,
    }
}

pub(super) fn caller(user_id: UserId, session: &str) -> Caller {
    Caller {
        user_id,
        session_id: SessionId(session.into()),
        expires_at: LATER,
    }
}

pub(super) async fn person(store: &dyn Store, name: &str) -> Person {
    let user = user(store, name).await;
    let session = format!("session-of-{name}");
    assert!(
        store
            .open_session(&new_session(user.id, &session))
            .await
            .unwrap()
    );
    let caller = caller(user.id, &session);
    Person { user, caller }
}

/// A conversation to create with these others.
pub(super) fn new_conversation(kind: ConversationKind, others: &[&Person]) -> NewConversation {
    let mut others: Vec<_> = others.iter().map(|person| person.id()).collect();
    others.sort_unstable();
    NewConversation {
        others,
        kind,
        name: None,
    }
}

pub(super) async fn group(store: &dyn Store, creator: &Person, others: &[&Person]) -> Conversation {
    let new_conversation = new_conversation(ConversationKind::Group, others);
    match store
        .create_conversation(&creator.caller, &new_conversation, NOW)
        .await
        .unwrap()
        .unwrap()
    {
        CreatedConversation::Created(conversation) => conversation,
        other => panic!("{other:?}"),
    }
}

/// Two users and their group.
pub(super) async fn pair(store: &dyn Store) -> (Person, Person, ConversationId) {
    let (one, two) = (person(store, "one").await, person(store, "two").await);
    let id = group(store, &one, &[&two]).await.id;
    (one, two, id)
}

pub(super) fn send(sender: &Person, to: ConversationId, text: &str) -> NewMessage {
    NewMessage {
        conversation_id: to,
        sender_id: sender.id(),
        session_id: sender.caller.session_id.clone(),
        client_message_id: None,
        message: MessageText::new(text).unwrap(),
        reply_to: None,
        mentions: Vec::new(),
        dedup_only: false,
        now: NOW,
    }
}

pub(super) fn send_as(sender: &Person, to: ConversationId, id: &str, text: &str) -> NewMessage {
    NewMessage {
        client_message_id: Some(ClientMessageId::new(id).unwrap()),
        ..send(sender, to, text)
    }
}

/// Sends one message that must be stored.
pub(super) async fn say(
    store: &dyn Store,
    sender: &Person,
    to: ConversationId,
    text: &str,
) -> StoredMessage {
    stored(&append_one(store, send(sender, to, text)).await)
}

pub(super) async fn append_one(store: &dyn Store, send: NewMessage) -> AppendOutcome {
    let mut appended = store.append(&[send]).await.unwrap().outcomes;
    assert_eq!(appended.len(), 1);
    appended.remove(0)
}

/// Sends `count` messages, `1` to `count`, in batches.
pub(super) async fn fill(store: &dyn Store, sender: &Person, to: ConversationId, count: usize) {
    let texts: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
    for batch in texts.chunks(50) {
        let sends: Vec<_> = batch.iter().map(|text| send(sender, to, text)).collect();
        for appended in store.append(&sends).await.unwrap().outcomes {
            stored(&appended);
        }
    }
}

pub(super) fn stored(appended: &AppendOutcome) -> StoredMessage {
    match appended {
        AppendOutcome::Stored(message) => message.clone(),
        other => panic!("not stored: {other:?}"),
    }
}

/// Every message of a conversation, oldest first.
pub(super) async fn whole_history(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let last = messages.last().map_or(MessageNumber(0), |last| last.number);
        let page = store
            .messages(&who.caller, id, HistoryRange::After(last), 100, NOW)
            .await;
        let page = page.unwrap().unwrap().messages;
        if page.is_empty() {
            return messages;
        }
        messages.extend(page);
    }
}

/// The newest texts of a conversation, oldest first.
pub(super) async fn texts(store: &dyn Store, reader: &Person, id: ConversationId) -> Vec<Arc<str>> {
    let history = store
        .messages(&reader.caller, id, HistoryRange::Latest, 10_000, NOW)
        .await
        .unwrap()
        .unwrap();
    history
        .messages
        .into_iter()
        .map(|message| message.content)
        .collect()
}

pub(super) async fn edit(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    message: MessageId,
    text: &str,
) -> ChangeOutcome {
    let text = MessageText::new(text.to_owned()).unwrap();
    let changed = store
        .edit_message(&who.caller, id, message, Some(&text), NOW)
        .await;
    changed.unwrap().unwrap()
}

pub(super) async fn delete(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    message: MessageId,
) -> ChangeOutcome {
    let changed = store.edit_message(&who.caller, id, message, None, NOW);
    changed.await.unwrap().unwrap()
}

pub(super) async fn add(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    user: UserId,
) -> ChangeOutcome {
    add_up_to(store, who, id, user, 1_000).await
}

/// Adds a member to a group of fewer than `max` members.
pub(super) async fn add_up_to(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    user: UserId,
    max: i64,
) -> ChangeOutcome {
    let changed = store.add_member(&who.caller, id, user, max, NOW).await;
    changed.unwrap().unwrap()
}

pub(super) async fn remove(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    user: UserId,
) -> ChangeOutcome {
    let changed = store.remove_member(&who.caller, id, user, NOW).await;
    changed.unwrap().unwrap()
}

/// The change, which must have been done.
pub(super) fn done(changed: ChangeOutcome) -> StoredEvent {
    match changed {
        ChangeOutcome::Done(change) => *change,
        other => panic!("not done: {other:?}"),
    }
}

pub(super) async fn history(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
) -> (Vec<Message>, Position) {
    let page = store
        .messages(&who.caller, id, HistoryRange::Latest, 100, NOW)
        .await;
    let page = page.unwrap().unwrap();
    (page.messages, page.position)
}

pub(super) async fn events(store: &dyn Store, id: ConversationId, since: i64) -> Vec<Event> {
    let read = store.events(id, Seq(since), 300).await.unwrap().unwrap();
    read.events
}
