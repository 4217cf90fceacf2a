//! A logged-in client of one server: requests that are repeated until they are answered.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::backoff::{Backoff, jitter};
use crate::error::Error;
use crate::rest::{Response, Rest};
use crate::sent::{Sent, count, messages_path};

/// The average pause after the first failed attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A logged-in client. Clones share the account and its tokens.
#[derive(Clone, Debug)]
pub struct Client {
    rest: Rest,
    account: Arc<Account>,
    give_up_after: Duration,
}

impl Client {
    /// A client for this account. Operations that repeat give up after a minute; see
    /// [`Client::give_up_after`].
    pub const fn new(rest: Rest, account: Arc<Account>) -> Self {
        Self {
            rest,
            account,
            give_up_after: Duration::from_mins(1),
        }
    }

    /// Gives up repeating after this long.
    #[must_use]
    pub const fn give_up_after(mut self, limit: Duration) -> Self {
        self.give_up_after = limit;
        self
    }

    /// The server.
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.give_up_after
    }

    /// Sends a request once, with the current access token.
    pub async fn request_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, Error> {
        let access = self.account.access().await;
        let access = Some(access.token.as_str());
        self.rest.request(method, path, access, body).await
    }

    /// Repeats a request until it is answered with one of `accepted`, renews an expired token, and
    /// waits as long as the server asks. Only for requests that are safe to repeat.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        accepted: &[u16],
    ) -> Result<Value, Error> {
        let (mut rng, mut backoff) = (Rng::new(), Backoff::default());
        let deadline = self.deadline();
        loop {
            let access = self.account.access().await.token;
            let attempt = self.rest.request(method.clone(), path, Some(&access), body);
            let result = attempt.await.and_then(|response| response.expect(accepted));
            let error = match result {
                Ok(body) => return Ok(body),
                Err(Error::Rejected(rejection)) if rejection.code == "token_expired" => {
                    match self.account.renew(&self.rest, &access).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if !error.is_retryable() {
                return Err(error);
            }
            let pause = match &error {
                Error::Rejected(rejection) => rejection.retry_after,
                _ => None,
            };
            let pause = match pause {
                Some(asked) => asked + jitter(Duration::from_millis(50), &mut rng),
                None => backoff.failed(FIRST_PAUSE, &mut rng),
            };
            if Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    /// Creates a conversation and returns its id. One attempt: a group is not safe to repeat.
    pub async fn create_conversation(
        &self,
        participants: &[u64],
        name: Option<&str>,
    ) -> Result<u64, Error> {
        let path = "/api/chat/conversations/";
        let mut body = json!({"participants": participants});
        if let Some(name) = name {
            body["name"] = json!(name);
        }
        let response = self.request_once(Method::POST, path, Some(&body)).await?;
        let body = response.expect(&[200, 201])?;
        count(&body, "id")
    }

    /// Sends a message over REST and repeats it under its id until it is stored.
    pub async fn send(
        &self,
        conversation_id: u64,
        client_message_id: &str,
        text: &str,
    ) -> Result<Sent, Error> {
        let path = messages_path(conversation_id);
        let body = json!({"message": text, "client_message_id": client_message_id});
        let request = self.request(Method::POST, &path, Some(&body), &[200, 201]);
        let message = request.await?;
        Ok(Sent {
            message_id: count(&message, "id")?,
            seq: count(&message, "seq")?,
            number: count(&message, "number")?,
            duplicate: message["duplicate"] == true,
        })
    }

    /// Every message after `number`, oldest first, as the REST API shows it.
    pub async fn history_after(
        &self,
        conversation_id: u64,
        number: u64,
    ) -> Result<Vec<Value>, Error> {
        let (mut after, mut history) = (number.to_string(), Vec::new());
        loop {
            let path = format!("{}?after={after}&limit=100", messages_path(conversation_id));
            let mut page = self.request(Method::GET, &path, None, &[200]).await?;
            let Value::Array(messages) = page["messages"].take() else {
                return Err(Error::Unexpected(format!("no messages in {page}")));
            };
            history.extend(messages);
            match &page["next_after"] {
                Value::Null => return Ok(history),
                Value::String(cursor) => after.clone_from(cursor),
                cursor => after = cursor.to_string(),
            }
        }
    }
}
