//! Results of a database, which may be of another version than expected, or come from a proxy. A store
//! reports any unreadable result as unexpected and keeps working.

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_core::ports::{
    CachedSummaries, HistoryRange, NewSession, Rotation, Store, StoreError,
};
use colloquy_core::store::driver::{Access, Driver, DriverError, Step};
use colloquy_core::store::{PostgresStore, SqliteStore};
use colloquy_fuzz::{Rng, Target, for_all};
use colloquy_proto::domain::{
    AppendOutcome, Caller, ConversationId, ConversationKind, Denied, Epoch, MessageId,
    MessageNumber, MessageText, NewConversation, NewMessage, NewUser, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::Event;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::values::some_event;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ID: ConversationId = ConversationId(1);

/// Returns the same text for every step; no row for `-`.
struct FixedResult(String);

#[async_trait]
impl Driver for FixedResult {
    async fn run(&self, _: Access, steps: &[Step<'_>]) -> Result<Vec<Option<String>>, DriverError> {
        let result = (self.0 != "-").then(|| self.0.clone());
        Ok(steps.iter().map(|_| result.clone()).collect())
    }
}

fn caller() -> Caller {
    Caller {
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        expires_at: NOW,
    }
}

fn some_append() -> NewMessage {
    NewMessage {
        conversation_id: ID,
        sender_id: UserId(1),
        session_id: SessionId("s1".into()),
        client_message_id: None,
        message: MessageText::new("Hello").expect("a text"),
        reply_to: None,
        mentions: Vec::new(),
        dedup_only: false,
        now: NOW,
    }
}

/// A send that goes to `append_each` at once.
fn some_repeat() -> NewMessage {
    NewMessage {
        dedup_only: true,
        ..some_append()
    }
}

/// INVARIANT: an unreadable result is `Unexpected`, never `Unavailable`: a repeat would not help.
fn check<T>(result: Result<T, StoreError>) {
    if let Err(error) = result {
        assert!(matches!(&error, StoreError::Unexpected(_)), "{error}");
    }
}

/// Every use case, over one result.
async fn run_all(store: &dyn Store) {
    let caller = caller();
    let user = NewUser {
        username: "ann".to_owned(),
        email: "ann@example.com".to_owned(),
        password_hash: "hash".to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        is_admin: false,
    };
    // These two retry, and then report that they were overtaken.
    let _ = store.create_user(&user, NOW).await;
    let conversation = NewConversation {
        others: vec![UserId(2)],
        kind: ConversationKind::Direct,
        name: None,
    };
    let _ = store.create_conversation(&caller, &conversation, NOW).await;
    check(store.credentials("ann").await);
    let session = NewSession {
        id: caller.session_id.clone(),
        user_id: UserId(1),
        created_at: NOW,
        expires_at: NOW,
        rehashed_password: None,
        device: None,
    };
    check(store.open_session(&session).await);
    let rotation = Rotation {
        session_id: caller.session_id.clone(),
        user_id: UserId(1),
        generation: 0,
        now: NOW,
        expires_at: NOW,
        repeatable_since: NOW,
        device: None,
    };
    check(store.rotate_session(&rotation).await);
    check(
        store
            .revoke_session(UserId(1), &caller.session_id, NOW)
            .await,
    );
    check(store.profile(&caller, NOW).await);
    check(
        store
            .conversations(&caller, None, 10, &CachedSummaries::default(), NOW)
            .await,
    );
    check(store.conversation(&caller, ID, NOW).await);
    check(store.position(&caller, ID, NOW).await);
    check(
        store
            .messages(&caller, ID, HistoryRange::Latest, 10, NOW)
            .await,
    );
    check(store.members(&caller, ID, UserId(0), 10, NOW).await);
    check(store.admit(&caller, ID, NOW).await);
    check(store.append(&[some_append()]).await);
    check(store.append(&[some_append(), some_append()]).await);
    check(store.append(&[some_repeat()]).await);
    check(store.events(ID, Seq(0), 10).await);
    check(store.renew_epoch(&Epoch("e".into())).await);
    check(store.probe().await);
}

fn ready<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("the driver never waits")
}

#[test]
fn answers() {
    let target = Target {
        name: "answers",
        corpus: include_str!("corpus/answers.txt"),
        words: &["ok", "denied", "null", "[", "]", "{", "}", ",", ":", "-"],
        cases: 3_000,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input).into_owned();
        ready(run_all(&PostgresStore::new(FixedResult(text.clone()))));
        ready(run_all(&SqliteStore::new(FixedResult(text))));
    });
}

/// As statements write it: a list of fields, the time in milliseconds.
fn some_stored(random: &mut Rng) -> (Value, StoredMessage) {
    let stored = StoredMessage {
        message_id: MessageId(random.i64(..)),
        seq: Seq(random.i64(..)),
        number: MessageNumber(random.i64(..)),
        timestamp: Timestamp(random.i64(..)),
        sender: Arc::from(colloquy_fuzz::arbitrary_text(random)),
        mentions: (0..random.usize(0..3))
            .map(|_| UserId(random.i64(..)))
            .collect(),
    };
    let fields = json!([
        stored.message_id,
        stored.seq,
        stored.number,
        stored.timestamp.0,
        stored.sender,
        stored.mentions
    ]);
    (fields, stored)
}

fn some_outcome(random: &mut Rng) -> (Value, AppendOutcome) {
    let (fields, stored) = some_stored(random);
    match random.u8(0..5) {
        0 => (json!({"stored": fields}), AppendOutcome::Stored(stored)),
        1 => (
            json!({"duplicate": fields}),
            AppendOutcome::Duplicate(stored),
        ),
        2 => (
            json!({"denied": "not_member"}),
            AppendOutcome::Denied(Denied::NotMember),
        ),
        3 => (json!("unknown_reply_to"), AppendOutcome::UnknownReplyTo),
        _ => (json!("not_a_duplicate"), AppendOutcome::NotADuplicate),
    }
}

#[test]
fn results_decode_to_the_encoded_values() {
    for_all("results_decode_to_the_encoded_values", 2_000, |random| {
        let (texts, outcomes): (Vec<Value>, Vec<AppendOutcome>) = (0..random.usize(1..5))
            .map(|_| some_outcome(random))
            .unzip();
        let result = json!({"epoch": "e1", "outcomes": texts}).to_string();
        let store = PostgresStore::new(FixedResult(result));
        let repeats = vec![some_repeat(); outcomes.len()];
        let read = ready(store.append(&repeats)).expect("readable");
        assert_eq!((&*read.epoch.0, read.outcomes), ("e1", outcomes));

        let (fields, stored) = some_stored(random);
        let result = json!({"epoch": "e1", "stored": fields}).to_string();
        let store = PostgresStore::new(FixedResult(result));
        let read = ready(store.append(&[some_append()])).expect("readable");
        assert_eq!(read.outcomes, [AppendOutcome::Stored(stored)]);

        let [seq, number, first] = [(); 3].map(|()| random.i64(0..1 << 53));
        let name = colloquy_fuzz::arbitrary_text(random);
        let result = json!({
            "epoch": "e1",
            "ids": [first, first + 1],
            "conversations": [[ID, seq, number, NOW.0 + 5]],
            "names": [name],
            "mentions": [[first + 1, [7]]],
        });
        let store = PostgresStore::new(FixedResult(result.to_string()));
        let read = ready(store.append(&[some_append(), some_append()])).expect("readable");
        let stored = [1, 2].map(|ordinal| {
            AppendOutcome::Stored(StoredMessage {
                message_id: MessageId(first + ordinal - 1),
                seq: Seq(seq + ordinal),
                number: MessageNumber(number + ordinal),
                timestamp: Timestamp(NOW.0 + 5),
                sender: Arc::from(&*name),
                mentions: (1..ordinal).map(|_| UserId(7)).collect(),
            })
        });
        assert_eq!(read.outcomes, stored);

        let events: Vec<Event> = (0..random.usize(0..4))
            .map(|_| some_event(random))
            .collect();
        let written: Vec<Value> = events.iter().map(in_milliseconds).collect();
        let position = json!({"epoch": "e1", "seq": random.i64(..), "number": random.i64(..)});
        let result = json!({"events": written, "position": position}).to_string();
        let store = PostgresStore::new(FixedResult(result));
        let read = ready(store.events(ID, Seq(0), 10))
            .expect("readable")
            .expect("there");
        assert_eq!(read.events, events);
        assert_eq!(json!(read.position.seq), position["seq"]);
    });
}

/// An event as a statement writes it: the time as milliseconds.
fn in_milliseconds(event: &Event) -> Value {
    let timestamp = match event {
        Event::Message(event) => event.timestamp,
        Event::Edited(event) => event.timestamp,
        Event::Deleted(event) => event.timestamp,
        Event::Member(event) => event.timestamp,
    };
    let mut value = serde_json::to_value(event).expect("JSON");
    value["timestamp"] = json!(timestamp.0);
    value
}
