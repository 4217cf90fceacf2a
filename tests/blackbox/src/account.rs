//! People: an account registered afresh for each test, and what one does with it.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Api;
use crate::control::Control;
use crate::opening::Opening;
use crate::random::unique;
use crate::server::Server;

/// What a login or a refresh answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For requests and sockets.
    pub access: String,
    /// For the next pair.
    pub refresh: String,
}

impl Tokens {
    /// Takes both out of an answer's body.
    #[track_caller]
    pub fn of(body: &Value) -> Self {
        let token = |name: &str| {
            let token = body[name].as_str();
            token
                .unwrap_or_else(|| panic!("no {name} in {body}"))
                .to_owned()
        };
        Self {
            access: token("access"),
            refresh: token("refresh"),
        }
    }
}

/// An account and one login of it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: u64,
    /// Its username.
    pub username: String,
    /// Its address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// This login's tokens.
    pub tokens: Tokens,
    /// A client that brings the access token.
    pub api: Api,
}

impl Account {
    /// A fresh account, logged in.
    pub async fn new(server: &Server) -> Self {
        Self::called(server, "user").await
    }

    /// The same with a username that begins like this, so that a person knows it again.
    pub async fn called(server: &Server, prefix: &str) -> Self {
        let (api, fields) = (Api::anonymous(server), Self::fields_of(prefix));
        let user = api.post("/api/users/register/", &fields).await.expect(201);
        let text = |name: &str| fields[name].as_str().expect("a text").to_owned();
        let mut account = Self {
            id: user["id"].as_u64().expect("an id"),
            username: text("username"),
            email: text("email"),
            password: text("password"),
            tokens: Tokens {
                access: String::new(),
                refresh: String::new(),
            },
            api,
        };
        account = account.log_in().await;
        account
    }

    /// Several at once.
    pub async fn several(server: &Server, count: usize) -> Vec<Self> {
        join_all((0..count).map(|_| Self::new(server))).await
    }

    /// A fresh one with the administrator's mark, on the server under test; `None` after telling
    /// what is left out, where the host makes none.
    pub async fn administrator(left_out: &str) -> Option<Self> {
        let control = Control::with("create-admin", left_out).await?;
        let made = control.act("server", "create-admin").await;
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        let account = Self {
            id: 0,
            username: text("username"),
            email: String::new(),
            password: text("password"),
            tokens: Tokens {
                access: String::new(),
                refresh: String::new(),
            },
            api: Api::anonymous(&Server::under_test()),
        };
        let mut account = account.log_in().await;
        let profile = account.profile().await.expect(200);
        account.id = profile["id"].as_u64().expect("an id");
        let email = profile["email"].as_str().expect("a text");
        email.clone_into(&mut account.email);
        Some(account)
    }

    /// What a registration needs, fresh and acceptable.
    pub fn fields() -> Value {
        Self::fields_of("user")
    }

    fn fields_of(prefix: &str) -> Value {
        let username = unique(prefix);
        json!({
            "username": username,
            "email": format!("{username}@mail.example"),
            // Unlike any username: what is made of the same letters would be too similar.
            "password": "Violet Umbrellas Dance 42",
            "first_name": "Ada",
            "last_name": "Lovelace",
        })
    }

    /// Another login of the same account.
    pub async fn log_in(&self) -> Self {
        let fields = json!({"username": self.username, "password": self.password});
        let api = Api::anonymous(self.api.server());
        let body = api.post("/api/users/login/", &fields).await.expect(200);
        let tokens = Tokens::of(&body);
        let mut account = self.clone();
        account.api = api.with_bearer(&tokens.access);
        account.tokens = tokens;
        account
    }

    /// Exchanges the tokens.
    pub async fn refresh(&self) -> Answer {
        let fields = json!({"refresh": self.tokens.refresh});
        let api = Api::anonymous(self.api.server());
        api.post("/api/users/token/refresh/", &fields).await
    }

    /// Ends this login.
    pub async fn log_out(&self) -> Answer {
        let fields = json!({"refresh": self.tokens.refresh});
        self.api.post("/api/users/logout/", &fields).await
    }

    /// The account as the API shows it.
    pub async fn profile(&self) -> Answer {
        self.api.get("/api/users/profile/").await
    }

    /// A v1 socket to a conversation, not yet opened.
    pub fn socket(&self, conversation: u64) -> Opening {
        let path = format!("/ws/chat/{conversation}/");
        Opening::new(self.api.server(), &path, &self.tokens.access)
    }

    /// Asks for a conversation with these people.
    pub async fn converse(&self, others: &[&Self]) -> Answer {
        let ids: Vec<u64> = others.iter().map(|other| other.id).collect();
        let fields = json!({"participants": ids});
        self.api.post("/api/chat/conversations/", &fields).await
    }

    /// A send over REST, once, with an id of its own.
    pub async fn send(&self, conversation: u64, id: &str, text: &str) -> Answer {
        let path = format!("/api/chat/conversations/{conversation}/messages/");
        let fields = json!({"message": text, "client_message_id": id});
        self.api.post(&path, &fields).await
    }

    /// A send over REST that waits out the throttle; the stored message.
    pub async fn say(&self, conversation: u64, text: &str) -> Value {
        let id = unique("m");
        let sent = patiently(async || self.send(conversation, &id, text).await);
        sent.await.expect(201)
    }

    /// An edit that waits out the throttle.
    pub async fn rewrite(&self, conversation: u64, message: u64, text: &str) -> Value {
        let edited = patiently(async || self.edit(conversation, message, text).await);
        edited.await.expect(200)
    }

    /// Gives a message another text.
    pub async fn edit(&self, conversation: u64, message: u64, text: &str) -> Answer {
        let path = format!("/api/chat/conversations/{conversation}/messages/{message}/");
        let request = self.api.request(Method::PATCH, &path);
        request.json(&json!({"message": text})).send().await
    }

    /// Deletes a message.
    pub async fn delete(&self, conversation: u64, message: u64) -> Answer {
        let path = format!("/api/chat/conversations/{conversation}/messages/{message}/");
        self.api.request(Method::DELETE, &path).send().await
    }

    /// Adds somebody to a group.
    pub async fn add(&self, conversation: u64, user: u64) -> Answer {
        let path = format!("/api/chat/conversations/{conversation}/members/");
        self.api.post(&path, &json!({"user_id": user})).await
    }

    /// Removes somebody from a group; oneself to leave.
    pub async fn remove(&self, conversation: u64, user: u64) -> Answer {
        let path = format!("/api/chat/conversations/{conversation}/members/{user}/");
        self.api.request(Method::DELETE, &path).send().await
    }

    /// The newest page of a history.
    pub async fn latest(&self, conversation: u64) -> Value {
        self.page(conversation, "").await
    }

    /// A page of a history; `query` as in `?before=…&limit=…`.
    pub async fn page(&self, conversation: u64, query: &str) -> Value {
        let path = format!("/api/chat/conversations/{conversation}/messages/{query}");
        self.api.get(&path).await.expect(200)
    }

    /// A whole history, oldest first, page by page from its end.
    pub async fn history(&self, conversation: u64) -> Vec<Value> {
        let mut pages = Vec::new();
        let mut query = String::new();
        loop {
            let page = self.page(conversation, &query).await;
            pages.push(page["messages"].as_array().expect("messages").clone());
            match &page["next_before"] {
                Value::Null => break,
                cursor => query = format!("?before={}", plain(cursor)),
            }
        }
        pages.into_iter().rev().flatten().collect()
    }
}

/// A cursor as it stands in a query, whether it came as a number or as text.
fn plain(cursor: &Value) -> String {
    cursor
        .as_str()
        .map_or_else(|| cursor.to_string(), str::to_owned)
}

/// Asks until it is not refused for coming too fast.
async fn patiently(ask: impl AsyncFn() -> Answer) -> Answer {
    loop {
        let answer = ask().await;
        if answer.status != 429 {
            return answer;
        }
        answer.refused(429, "throttled");
        tokio::time::sleep(wait_of(&answer.body)).await;
    }
}

/// The wait a throttled send names, exact to the millisecond.
#[track_caller]
pub fn wait_of(refusal: &Value) -> Duration {
    let wait = refusal["retry_after_ms"].as_u64();
    Duration::from_millis(wait.unwrap_or_else(|| panic!("no retry_after_ms in {refusal}")))
}
