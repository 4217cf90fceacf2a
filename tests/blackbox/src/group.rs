//! Conversations. Each test creates its own, with accounts of its own.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::account::Account;
use crate::random::unique;
use crate::server::Server;

/// A conversation and all its members.
#[derive(Debug)]
pub struct Group {
    /// Its id.
    pub id: u64,
    /// Its members; the first one created it.
    pub members: Vec<Account>,
}

/// A message as a server reports it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredMessage {
    /// Its ordinal. The first field, so that sorting gives the order of the conversation.
    pub number: u64,
    /// Its event's position.
    pub seq: u64,
    /// Its id.
    pub message_id: u64,
    /// Its text.
    pub text: String,
    /// Its sender.
    pub sender_id: u64,
}

impl StoredMessage {
    /// Reads a message of the REST API.
    #[track_caller]
    pub fn from_rest(message: &Value) -> Self {
        Self::read(message, "id", "content")
    }

    /// Reads a `message` event of a socket.
    #[track_caller]
    pub fn from_event(event: &Value) -> Self {
        Self::read(event, "message_id", "message")
    }

    #[track_caller]
    fn read(value: &Value, id: &str, text: &str) -> Self {
        let count = |name: &str| {
            let count = value[name].as_u64();
            count.unwrap_or_else(|| panic!("no {name} in {value}"))
        };
        Self {
            number: count("number"),
            seq: count("seq"),
            message_id: count(id),
            text: value[text].as_str().expect("a text").to_owned(),
            sender_id: count("sender_id"),
        }
    }

    /// Reads several messages of the REST API.
    #[track_caller]
    pub fn all_from_rest(messages: &[Value]) -> Vec<Self> {
        messages.iter().map(Self::from_rest).collect()
    }
}

impl Group {
    /// A named group of this many new accounts.
    pub async fn new(server: &Server, size: usize) -> Self {
        Self::with_members(Account::register_many(server, size).await).await
    }

    /// A named group of these accounts, created by the first.
    pub async fn with_members(members: Vec<Account>) -> Self {
        let ids: Vec<u64> = members[1..].iter().map(|member| member.id).collect();
        let fields = json!({"participants": ids, "name": unique("group")});
        let made = members[0].api.post("/api/chat/conversations/", &fields);
        let id = made.await.expect_status(201)["id"].as_u64().expect("an id");
        Self { id, members }
    }

    /// Two new accounts and their direct conversation.
    pub async fn pair(server: &Server) -> (Account, Account, u64) {
        let (one, other) = tokio::join!(Account::new(server), Account::new(server));
        let made = one.create_conversation(&[&other]).await.expect_status(201);
        (one, other, made["id"].as_u64().expect("an id"))
    }

    /// A path below that of the conversation.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/chat/conversations/{}/{rest}", self.id)
    }

    /// Lets the members send `count` messages over REST concurrently; returns them in order.
    pub async fn send_many(&self, count: usize) -> Vec<StoredMessage> {
        self.send_many_with(count, |turn| format!("message {turn}"))
            .await
    }

    /// The same with these texts.
    pub async fn send_many_with(
        &self,
        count: usize,
        text: impl Fn(usize) -> String,
    ) -> Vec<StoredMessage> {
        let text = &text;
        let senders = self.members.len();
        let sending = self
            .members
            .iter()
            .enumerate()
            .map(async |(index, member)| {
                let mut sent = Vec::new();
                for turn in (index..count).step_by(senders) {
                    let message = member.send_retrying(self.id, &text(turn)).await;
                    sent.push(StoredMessage::from_rest(&message));
                }
                sent
            });
        let mut sent: Vec<StoredMessage> = join_all(sending).await.into_iter().flatten().collect();
        sent.sort();
        sent
    }
}
