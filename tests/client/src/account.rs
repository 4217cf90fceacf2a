//! An account and the tokens of its current login, shared by all tasks that act for the account.
//!
//! INVARIANT: a refresh token is presented again only within the server's grace, which ends a minute
//! after the first time (docs/protocol.md, "Tokens"). Later it would revoke the session, so the
//! account logs in again instead.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::error::Error;
use crate::rest::Rest;

const REGISTER: &str = "/api/users/register/";
const LOGIN: &str = "/api/users/login/";
const REFRESH: &str = "/api/users/token/refresh/";
const LOGOUT: &str = "/api/users/logout/";

/// How long after its first use a refresh token is presented again: the grace of 60 seconds, less the
/// time that the last request may be on its way.
const REPEAT_REFRESH_FOR: Duration = Duration::from_secs(45);

/// An access token and the login it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessToken {
    /// The token.
    pub token: String,
    /// Counts the logins of this [`Account`], from 1.
    pub login: u32,
}

/// The tokens of one login.
#[derive(Debug, Default)]
pub struct Tokens {
    /// For requests and sockets.
    pub access: AccessToken,
    /// For the next pair. Kept until that arrives, because a lost response is asked for again.
    pub refresh: Option<String>,
    /// When the refresh token was presented for the first time.
    presented_at: Option<Instant>,
}

impl Tokens {
    /// The refresh token, if presenting it now cannot revoke the session.
    fn presentable(&mut self) -> Option<String> {
        let first = *self.presented_at.get_or_insert_with(Instant::now);
        if first.elapsed() > REPEAT_REFRESH_FOR {
            self.refresh = None;
        }
        self.refresh.clone()
    }
}

/// An account and its tokens.
#[derive(Debug)]
pub struct Account {
    user_id: u64,
    username: String,
    password: String,
    tokens: Mutex<Tokens>,
}

impl Account {
    /// Registers an account and logs it in. Each step is one request: a lost registration response
    /// leaves the username taken.
    pub async fn register(rest: &Rest, username: &str, password: &str) -> Result<Self, Error> {
        let fields = json!({
            "username": username,
            "email": format!("{username}@mail.example"),
            "password": password,
            "first_name": "",
            "last_name": "",
        });
        let response = rest
            .request(Method::POST, REGISTER, None, Some(&fields))
            .await?;
        response.expect(&[201])?;
        Self::log_in(rest, username, password).await
    }

    /// Logs an existing account in.
    pub async fn log_in(rest: &Rest, username: &str, password: &str) -> Result<Self, Error> {
        let fields = json!({"username": username, "password": password});
        let response = rest
            .request(Method::POST, LOGIN, None, Some(&fields))
            .await?;
        let body = response.expect(&[200])?;
        let user_id = body["user"]["id"].as_u64();
        Ok(Self {
            user_id: user_id
                .ok_or_else(|| Error::Unexpected(format!("a login without a user id: {body}")))?,
            username: username.to_owned(),
            password: password.to_owned(),
            tokens: Mutex::new(tokens(&body, 1)?),
        })
    }

    /// The account's id.
    pub fn user_id(&self) -> u64 {
        self.user_id
    }

    /// The account's username.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The access token to use now.
    pub async fn access(&self) -> AccessToken {
        self.lock().await.access.clone()
    }

    /// Both tokens. While the guard lives, no other task uses or renews them.
    pub async fn lock(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().await
    }

    /// Replaces `rejected`, the access token the server refused, unless another task has done so.
    /// Refreshes when the refresh token is at hand, otherwise logs in. After an error the caller
    /// calls it again: it repeats a refresh without a response, and logs in after a refused one.
    pub async fn renew(&self, rest: &Rest, rejected: &str) -> Result<(), Error> {
        let mut current = self.tokens.lock().await;
        if current.access.token != rejected {
            return Ok(());
        }
        let login = current.access.login;
        let (path, fields, login) = if let Some(refresh) = current.presentable() {
            (REFRESH, json!({"refresh": refresh}), login)
        } else {
            let fields = json!({"username": self.username, "password": self.password});
            (LOGIN, fields, login + 1)
        };
        let response = rest
            .request(Method::POST, path, None, Some(&fields))
            .await?;
        if response.status == 401 {
            current.refresh = None;
        }
        *current = tokens(&response.expect(&[200])?, login)?;
        Ok(())
    }

    /// Revokes the session. The account can be used again: the next [`Account::renew`] logs in. Without
    /// a response the tokens are kept, and it may be called again.
    pub async fn log_out(&self, rest: &Rest) -> Result<(), Error> {
        let mut current = self.tokens.lock().await;
        let Some(refresh) = current.refresh.clone() else {
            return Err(Error::Unexpected("no refresh token at hand".to_owned()));
        };
        let fields = json!({"refresh": refresh});
        let access = Some(current.access.token.as_str());
        let response = rest
            .request(Method::POST, LOGOUT, access, Some(&fields))
            .await?;
        response.expect(&[205])?;
        current.refresh = None;
        Ok(())
    }
}

fn tokens(body: &Value, login: u32) -> Result<Tokens, Error> {
    let token = |name: &str| {
        let token = body[name].as_str().map(str::to_owned);
        token.ok_or_else(|| Error::Unexpected(format!("no {name} token")))
    };
    Ok(Tokens {
        access: AccessToken {
            token: token("access")?,
            login,
        },
        refresh: Some(token("refresh")?),
        presented_at: None,
    })
}
