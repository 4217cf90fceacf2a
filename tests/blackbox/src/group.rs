//! Conversations made afresh for each test, with people of their own.

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
    /// Its members; the first made it.
    pub members: Vec<Account>,
}

/// A message somebody was told is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// Its ordinal: first, so that sorting gives the order of the conversation.
    pub number: u64,
    /// Its event's position.
    pub seq: u64,
    /// Its id.
    pub message_id: u64,
    /// Its text.
    pub text: String,
    /// Who sent it.
    pub sender_id: u64,
}

impl Sent {
    /// What a message of the REST API says.
    #[track_caller]
    pub fn of(message: &Value) -> Self {
        Self::read(message, "id", "content")
    }

    /// What an event on a socket says.
    #[track_caller]
    pub fn of_event(event: &Value) -> Self {
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

    /// Several at once.
    #[track_caller]
    pub fn all_of(messages: &[Value]) -> Vec<Self> {
        messages.iter().map(Self::of).collect()
    }
}

impl Group {
    /// A named group of this many people.
    pub async fn of(server: &Server, people: usize) -> Self {
        Self::among(Account::several(server, people).await).await
    }

    /// A named group of these people, made by the first.
    pub async fn among(members: Vec<Account>) -> Self {
        let ids: Vec<u64> = members[1..].iter().map(|member| member.id).collect();
        let fields = json!({"participants": ids, "name": unique("group")});
        let made = members[0].api.post("/api/chat/conversations/", &fields);
        let id = made.await.expect(201)["id"].as_u64().expect("an id");
        Self { id, members }
    }

    /// Two people and the conversation between them.
    pub async fn pair(server: &Server) -> (Account, Account, u64) {
        let (one, other) = tokio::join!(Account::new(server), Account::new(server));
        let made = one.converse(&[&other]).await.expect(201);
        (one, other, made["id"].as_u64().expect("an id"))
    }

    /// A path below the conversation's.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/chat/conversations/{}/{rest}", self.id)
    }

    /// Has the members send `count` messages over REST, all at once; in the conversation's order.
    pub async fn fill(&self, count: usize) -> Vec<Sent> {
        self.fill_with(count, |turn| format!("message {turn}"))
            .await
    }

    /// The same with texts of one's own.
    pub async fn fill_with(&self, count: usize, text: impl Fn(usize) -> String) -> Vec<Sent> {
        let text = &text;
        let people = self.members.len();
        let sending = self
            .members
            .iter()
            .enumerate()
            .map(async |(index, member)| {
                let mut sent = Vec::new();
                for turn in (index..count).step_by(people) {
                    let message = member.say(self.id, &text(turn)).await;
                    sent.push(Sent::of(&message));
                }
                sent
            });
        let mut sent: Vec<Sent> = join_all(sending).await.into_iter().flatten().collect();
        sent.sort();
        sent
    }
}
