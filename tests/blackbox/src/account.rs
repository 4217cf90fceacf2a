//! User accounts. Each test registers its own.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::Api;
use crate::control::Control;
use crate::random::unique;
use crate::response::Response;
use crate::server::Server;
use crate::socket_builder::SocketBuilder;

/// The tokens that a login or a refresh returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For requests and sockets.
    pub access: String,
    /// For the next pair.
    pub refresh: String,
}

impl Tokens {
    /// Reads both tokens from a response body.
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

/// An account and one of its sessions.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: u64,
    /// Its username.
    pub username: String,
    /// Its e-mail address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The session's tokens.
    pub tokens: Tokens,
    /// An HTTP client with the access token.
    pub api: Api,
}

impl Account {
    /// Registers an account and logs it in.
    pub async fn new(server: &Server) -> Self {
        Self::with_prefix(server, "user").await
    }

    /// The same with a recognisable start of the username.
    pub async fn with_prefix(server: &Server, prefix: &str) -> Self {
        let (api, fields) = (Api::anonymous(server), Self::registration_of(prefix));
        let user = api
            .post("/api/users/register/", &fields)
            .await
            .expect_status(201);
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

    /// Registers several accounts concurrently.
    pub async fn register_many(server: &Server, count: usize) -> Vec<Self> {
        join_all((0..count).map(|_| Self::new(server))).await
    }

    /// A new administrator on the server under test. `None` where the host cannot create one; the
    /// skipped test is reported.
    pub async fn administrator(skipped: &str) -> Option<Self> {
        let control = Control::with_capability("create-admin", skipped).await?;
        let made = control.perform("server", "create-admin").await;
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
        let profile = account.profile().await.expect_status(200);
        account.id = profile["id"].as_u64().expect("an id");
        let email = profile["email"].as_str().expect("a text");
        email.clone_into(&mut account.email);
        Some(account)
    }

    /// The fields of a valid registration with a unique username.
    pub fn registration() -> Value {
        Self::registration_of("user")
    }

    fn registration_of(prefix: &str) -> Value {
        let username = unique(prefix);
        json!({
            "username": username,
            "email": format!("{username}@mail.example"),
            // Not similar to any username, which the server rejects.
            "password": "Violet Umbrellas Dance 42",
            "first_name": "Ada",
            "last_name": "Lovelace",
        })
    }

    /// Another session of the same account.
    pub async fn log_in(&self) -> Self {
        let fields = json!({"username": self.username, "password": self.password});
        let api = Api::anonymous(self.api.server());
        let body = api
            .post("/api/users/login/", &fields)
            .await
            .expect_status(200);
        let tokens = Tokens::of(&body);
        let mut account = self.clone();
        account.api = api.with_bearer(&tokens.access);
        account.tokens = tokens;
        account
    }

    /// Refreshes the tokens.
    pub async fn refresh(&self) -> Response {
        let fields = json!({"refresh": self.tokens.refresh});
        let api = Api::anonymous(self.api.server());
        api.post("/api/users/token/refresh/", &fields).await
    }

    /// Logs this session out.
    pub async fn log_out(&self) -> Response {
        let fields = json!({"refresh": self.tokens.refresh});
        self.api.post("/api/users/logout/", &fields).await
    }

    /// The user profile.
    pub async fn profile(&self) -> Response {
        self.api.get("/api/users/profile/").await
    }

    /// A v1 socket to a conversation, not opened yet.
    pub fn socket(&self, conversation_id: u64) -> SocketBuilder {
        let path = format!("/ws/chat/{conversation_id}/");
        SocketBuilder::new(self.api.server(), &path, &self.tokens.access)
    }

    /// Creates a conversation with these accounts, or finds the existing pair.
    pub async fn create_conversation(&self, others: &[&Self]) -> Response {
        let ids: Vec<u64> = others.iter().map(|other| other.id).collect();
        let fields = json!({"participants": ids});
        self.api.post("/api/chat/conversations/", &fields).await
    }

    /// Sends a message over REST, once, under this `client_message_id`.
    pub async fn send(
        &self,
        conversation_id: u64,
        client_message_id: &str,
        text: &str,
    ) -> Response {
        let path = format!("/api/chat/conversations/{conversation_id}/messages/");
        let fields = json!({"message": text, "client_message_id": client_message_id});
        self.api.post(&path, &fields).await
    }

    /// Sends a message over REST, waits out the throttle and returns the stored message.
    pub async fn send_retrying(&self, conversation_id: u64, text: &str) -> Value {
        let id = unique("m");
        let sent = retry_throttled(async || self.send(conversation_id, &id, text).await);
        sent.await.expect_status(201)
    }

    /// Edits a message and waits out the throttle.
    pub async fn edit_retrying(&self, conversation_id: u64, message_id: u64, text: &str) -> Value {
        let edited = retry_throttled(async || self.edit(conversation_id, message_id, text).await);
        edited.await.expect_status(200)
    }

    /// Edits a message, once.
    pub async fn edit(&self, conversation_id: u64, message_id: u64, text: &str) -> Response {
        let path = format!("/api/chat/conversations/{conversation_id}/messages/{message_id}/");
        let request = self.api.request(Method::PATCH, &path);
        request.json(&json!({"message": text})).send().await
    }

    /// Deletes a message.
    pub async fn delete(&self, conversation_id: u64, message_id: u64) -> Response {
        let path = format!("/api/chat/conversations/{conversation_id}/messages/{message_id}/");
        self.api.request(Method::DELETE, &path).send().await
    }

    /// Adds a member to a group.
    pub async fn add_member(&self, conversation_id: u64, user_id: u64) -> Response {
        let path = format!("/api/chat/conversations/{conversation_id}/members/");
        self.api.post(&path, &json!({"user_id": user_id})).await
    }

    /// Removes a member from a group; with the own id, leaves it.
    pub async fn remove_member(&self, conversation_id: u64, user_id: u64) -> Response {
        let path = format!("/api/chat/conversations/{conversation_id}/members/{user_id}/");
        self.api.request(Method::DELETE, &path).send().await
    }

    /// The newest page of the history.
    pub async fn newest_page(&self, conversation_id: u64) -> Value {
        self.history_page(conversation_id, "").await
    }

    /// A page of the history; `query` as in `?before=…&limit=…`.
    pub async fn history_page(&self, conversation_id: u64, query: &str) -> Value {
        let path = format!("/api/chat/conversations/{conversation_id}/messages/{query}");
        self.api.get(&path).await.expect_status(200)
    }

    /// The whole history, oldest first.
    pub async fn history(&self, conversation_id: u64) -> Vec<Value> {
        let mut pages = Vec::new();
        let mut query = String::new();
        loop {
            let page = self.history_page(conversation_id, &query).await;
            pages.push(page["messages"].as_array().expect("messages").clone());
            match &page["next_before"] {
                Value::Null => break,
                cursor => query = format!("?before={}", cursor_text(cursor)),
            }
        }
        pages.into_iter().rev().flatten().collect()
    }
}

/// A cursor as query text, whether the response had it as a number or as a string.
fn cursor_text(cursor: &Value) -> String {
    cursor
        .as_str()
        .map_or_else(|| cursor.to_string(), str::to_owned)
}

/// Repeats a request until it is not throttled.
async fn retry_throttled(request: impl AsyncFn() -> Response) -> Response {
    loop {
        let response = request().await;
        if response.status != 429 {
            return response;
        }
        response.expect_error(429, "throttled");
        tokio::time::sleep(retry_after(&response.body)).await;
    }
}

/// The `retry_after_ms` of an error.
#[track_caller]
pub fn retry_after(error: &Value) -> Duration {
    let wait = error["retry_after_ms"].as_u64();
    Duration::from_millis(wait.unwrap_or_else(|| panic!("no retry_after_ms in {error}")))
}
