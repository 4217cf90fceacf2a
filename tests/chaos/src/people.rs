//! Accounts and the conversations they are in. Made before anything goes wrong; afterwards only
//! tokens are renewed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::log::{REVOKED, Room};

/// How long an answer may take before a client gives up on it and asks again.
pub(crate) const ANSWER: Duration = Duration::from_secs(6);

const LOGIN: &str = "/api/users/login/";

/// The same for a login: given up earlier, its password would be hashed for nobody.
const LOGIN_ANSWER: Duration = Duration::from_secs(30);

const PASSWORD: &str = "Violet Umbrellas Dance 42";

/// How many are registered at once: passwords are hashed, which is meant to be slow.
const AT_ONCE: usize = 8;

/// A way to a server: past every fault, or along a line that has them.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    address: SocketAddr,
}

/// An answer: its status and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether it says that the login is over.
    pub(crate) fn is_revoked(&self) -> bool {
        self.status == 401 && self.body["code"] == REVOKED.1
    }
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            // Each request is a connection of its own, which a line can lose.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { http, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks once. The error is that no whole answer came.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.request(method, url);
        if path == LOGIN {
            request = request.timeout(LOGIN_ANSWER);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = match status {
            204 | 205 => Value::Null,
            _ => serde_json::from_str(&text)
                .with_context(|| format!("{path} answered {status} without JSON: {text}"))?,
        };
        Ok(Answer { status, body })
    }

    /// Asks until this is the status: before the run nothing goes wrong, but there may be too much
    /// to do at once.
    async fn insist(
        &self,
        status: u16,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value> {
        for _ in 0..60 {
            let answer = self.ask(Method::POST, path, token, Some(body)).await;
            match answer {
                Ok(answer) if answer.status == status => return Ok(answer.body),
                Ok(answer) if answer.status != 503 => {
                    bail!("{path} answered {} {}", answer.status, answer.body)
                }
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        bail!("{path} never answered {status}")
    }
}

/// What lets somebody in: an access token, and which of their logins it is of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    pub(crate) token: String,
    pub(crate) login: u32,
}

/// One account and the tokens it uses now.
pub(crate) struct Person {
    pub(crate) id: u64,
    username: String,
    tokens: Mutex<Tokens>,
}

/// The tokens of a login. Who holds the lock is the only one to change them.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) pass: Pass,
    pub(crate) refresh: Option<String>,
}

impl Person {
    async fn register(api: &Api, username: String) -> Result<Arc<Self>> {
        let fields = json!({
            "username": username, "email": format!("{username}@mail.example"),
            "password": PASSWORD, "first_name": "", "last_name": "",
        });
        let made = api
            .insist(201, "/api/users/register/", None, &fields)
            .await?;
        let person = Self {
            id: made["id"].as_u64().context("an account without an id")?,
            username,
            tokens: Mutex::default(),
        };
        let fields = person.login();
        let login = api.insist(200, LOGIN, None, &fields).await?;
        *person.tokens.lock().await = tokens(&login, 1)?;
        Ok(Arc::new(person))
    }

    fn login(&self) -> Value {
        json!({"username": self.username, "password": PASSWORD})
    }

    /// The token to use.
    pub(crate) async fn pass(&self) -> Pass {
        self.hold().await.pass.clone()
    }

    /// All of its tokens, which nobody else uses or changes meanwhile.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().await
    }

    /// Replaces the token that is over, unless somebody else has meanwhile. A refresh token is
    /// presented once, since a second time would end the login: whose answer was lost logs in again.
    pub(crate) async fn renew(&self, api: &Api, over: &str) -> Result<()> {
        let mut held = self.tokens.lock().await;
        if held.pass.token != over {
            return Ok(());
        }
        let login = held.pass.login;
        let (path, fields, login) = match held.refresh.take() {
            Some(refresh) => (
                "/api/users/token/refresh/",
                json!({"refresh": refresh}),
                login,
            ),
            None => (LOGIN, self.login(), login + 1),
        };
        let answer = api.ask(Method::POST, path, None, Some(&fields)).await?;
        if answer.status != 200 {
            bail!("{path} answered {} {}", answer.status, answer.body);
        }
        *held = tokens(&answer.body, login)?;
        Ok(())
    }
}

fn tokens(answer: &Value, login: u32) -> Result<Tokens> {
    let token = |kind: &str| answer[kind].as_str().map(str::to_owned);
    let access = token("access").context("no access token")?;
    Ok(Tokens {
        pass: Pass {
            token: access,
            login,
        },
        refresh: Some(token("refresh").context("no refresh token")?),
    })
}

/// A conversation and the people in it.
pub(crate) struct Party {
    pub(crate) room: Room,
    pub(crate) people: Vec<Arc<Person>>,
}

/// Registers `people` accounts and makes a group of them.
pub(crate) async fn gather(api: &Api, server: usize, name: &str, people: usize) -> Result<Party> {
    let mut members = Vec::new();
    let names: Vec<String> = (0..people).map(|index| format!("{name}.{index}")).collect();
    for some in names.chunks(AT_ONCE) {
        let registered = some.iter().map(|name| Person::register(api, name.clone()));
        members.extend(try_join_all(registered).await?);
    }
    let (first, others) = members.split_first().context("a party of nobody")?;
    let ids: Vec<u64> = others.iter().map(|person| person.id).collect();
    let fields = json!({"participants": ids, "name": name, "kind": "group"});
    let Pass { token, .. } = first.pass().await;
    let made = api
        .insist(201, "/api/chat/conversations/", Some(&token), &fields)
        .await?;
    let room = Room {
        server,
        id: made["id"]
            .as_u64()
            .context("a conversation without an id")?,
    };
    Ok(Party {
        room,
        people: members,
    })
}
