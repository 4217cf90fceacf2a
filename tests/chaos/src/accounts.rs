//! Accounts and the groups they are in. Created before the first fault; afterwards only tokens are
//! renewed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::client_log::{ConversationKey, REVOKED};

/// How long a client waits for a response before it gives up.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(6);

const LOGIN: &str = "/api/users/login/";

/// The timeout of a session; longer, because giving up early only wastes the password hash.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

const PASSWORD: &str = "Violet Umbrellas Dance 42";

/// Concurrent registrations; password hashing is slow on purpose.
const CONCURRENT_REGISTRATIONS: usize = 8;

/// An HTTP client for one server, direct or through its proxy.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    address: SocketAddr,
}

/// A response: its status and its body.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Response {
    /// Whether the response reports a revoked session.
    pub(crate) fn is_revoked(&self) -> bool {
        self.status == 401 && self.body["code"] == REVOKED.1
    }
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(RESPONSE_TIMEOUT)
            // One connection for each request, so that faults of connections affect requests.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { http, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request once. The error is that no complete response arrived.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Response> {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.request(method, url);
        if path == LOGIN {
            request = request.timeout(LOGIN_TIMEOUT);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = match status {
            204 | 205 => Value::Null,
            _ => serde_json::from_str(&text)
                .with_context(|| format!("{path} answered {status} without JSON: {text}"))?,
        };
        Ok(Response { status, body })
    }

    /// Repeats a request until it has this status. Nothing is broken before the run, but the server
    /// may be overloaded.
    async fn request_until(
        &self,
        status: u16,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value> {
        for _ in 0..60 {
            let response = self.request(Method::POST, path, token, Some(body)).await;
            match response {
                Ok(response) if response.status == status => return Ok(response.body),
                Ok(response) if response.status != 503 => {
                    bail!("{path} answered {} {}", response.status, response.body)
                }
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        bail!("{path} never answered {status}")
    }
}

/// An access token, and the number of the session among those of its user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) token: String,
    pub(crate) session: u32,
}

/// One account and its current tokens.
pub(crate) struct User {
    pub(crate) id: u64,
    username: String,
    tokens: Mutex<Tokens>,
}

/// The tokens of a session. Only the holder of the lock changes them.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) credentials: Credentials,
    pub(crate) refresh: Option<String>,
}

impl User {
    async fn register(api: &Api, username: String) -> Result<Arc<Self>> {
        let fields = json!({
            "username": username, "email": format!("{username}@mail.example"),
            "password": PASSWORD, "first_name": "", "last_name": "",
        });
        let created = api
            .request_until(201, "/api/users/register/", None, &fields)
            .await?;
        let user = Self {
            id: created["id"].as_u64().context("an account without an id")?,
            username,
            tokens: Mutex::default(),
        };
        let session = api
            .request_until(200, LOGIN, None, &user.login_request())
            .await?;
        *user.tokens.lock().await = tokens(&session, 1)?;
        Ok(Arc::new(user))
    }

    fn login_request(&self) -> Value {
        json!({"username": self.username, "password": PASSWORD})
    }

    /// The current access token.
    pub(crate) async fn credentials(&self) -> Credentials {
        self.lock_tokens().await.credentials.clone()
    }

    /// Locks all tokens, so that no other task uses or changes them.
    pub(crate) async fn lock_tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().await
    }

    /// Replaces an expired token, unless another task has done so. A refresh token is presented once,
    /// since its reuse would revoke the session; when the response is lost, the user logs in again.
    pub(crate) async fn renew(&self, api: &Api, expired: &str) -> Result<()> {
        let mut current = self.tokens.lock().await;
        if current.credentials.token != expired {
            return Ok(());
        }
        let session = current.credentials.session;
        let (path, fields, session) = match current.refresh.take() {
            Some(refresh) => (
                "/api/users/token/refresh/",
                json!({"refresh": refresh}),
                session,
            ),
            None => (LOGIN, self.login_request(), session + 1),
        };
        let response = api.request(Method::POST, path, None, Some(&fields)).await?;
        if response.status != 200 {
            bail!("{path} answered {} {}", response.status, response.body);
        }
        *current = tokens(&response.body, session)?;
        Ok(())
    }
}

fn tokens(response: &Value, session: u32) -> Result<Tokens> {
    let token = |kind: &str| response[kind].as_str().map(str::to_owned);
    let access = token("access").context("no access token")?;
    Ok(Tokens {
        credentials: Credentials {
            token: access,
            session,
        },
        refresh: Some(token("refresh").context("no refresh token")?),
    })
}

/// A conversation and its members.
pub(crate) struct Group {
    pub(crate) conversation: ConversationKey,
    pub(crate) members: Vec<Arc<User>>,
}

/// Registers `size` accounts and creates a group of them.
pub(crate) async fn create_group(
    api: &Api,
    server: usize,
    name: &str,
    size: usize,
) -> Result<Group> {
    let mut members = Vec::new();
    let names: Vec<String> = (0..size).map(|index| format!("{name}.{index}")).collect();
    for some in names.chunks(CONCURRENT_REGISTRATIONS) {
        let registered = some.iter().map(|name| User::register(api, name.clone()));
        members.extend(try_join_all(registered).await?);
    }
    let (first, others) = members.split_first().context("a group without members")?;
    let ids: Vec<u64> = others.iter().map(|user| user.id).collect();
    let fields = json!({"participants": ids, "name": name, "kind": "group"});
    let Credentials { token, .. } = first.credentials().await;
    let created = api
        .request_until(201, "/api/chat/conversations/", Some(&token), &fields)
        .await?;
    let conversation = ConversationKey {
        server,
        id: created["id"]
            .as_u64()
            .context("a conversation without an id")?,
    };
    Ok(Group {
        conversation,
        members,
    })
}
