//! Accounts and the groups they are in. Created before the first fault; afterwards only tokens are
//! renewed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use colloquy_client::{Account, Method, Response, Rest, RestOptions};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::client_log::{ConversationKey, REVOKED};

/// How many others a conversation is created with; further ones are added.
const MAX_PARTICIPANTS: usize = 100;

/// How long a client waits for a response before it gives up.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(6);

/// The password of every account.
pub(crate) const PASSWORD: &str = "Violet Umbrellas Dance 42";

/// Concurrent registrations; password hashing is slow on purpose.
const CONCURRENT_REGISTRATIONS: usize = 8;

/// Attempts before the run, when nothing is broken but the server may be overloaded.
const SETUP_ATTEMPTS: usize = 60;

const SETUP_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// An HTTP client for one server, direct or through its proxy.
pub(crate) fn rest(address: SocketAddr) -> Result<Rest> {
    let options = RestOptions {
        timeout: RESPONSE_TIMEOUT,
        // One connection for each request, so that faults of connections affect requests.
        keep_alive: false,
        ..RestOptions::default()
    };
    Ok(Rest::new(&format!("http://{address}"), options)?)
}

/// Whether the response reports a revoked session.
pub(crate) fn is_revoked(response: &Response) -> bool {
    response.status == 401 && response.code() == Some(REVOKED.1)
}

/// A conversation and its members.
pub(crate) struct Group {
    pub(crate) conversation: ConversationKey,
    pub(crate) members: Vec<Arc<Account>>,
}

/// Registers `size` accounts and creates a group of them.
pub(crate) async fn create_group(
    rest: &Rest,
    server: usize,
    name: &str,
    size: usize,
) -> Result<Group> {
    let mut members = Vec::new();
    let names: Vec<String> = (0..size).map(|index| format!("{name}.{index}")).collect();
    for some in names.chunks(CONCURRENT_REGISTRATIONS) {
        let registered = some.iter().map(|name| register(rest, name));
        members.extend(try_join_all(registered).await?);
    }
    let (first, others) = members.split_first().context("a group without members")?;
    let ids: Vec<u64> = others.iter().map(|user| user.user_id()).collect();
    let (at_creation, later) = ids.split_at(ids.len().min(MAX_PARTICIPANTS));
    let fields = json!({"participants": at_creation, "name": name, "kind": "group"});
    let token = first.access().await.token;
    let created = create_conversation(rest, &token, &fields).await?;
    let conversation = ConversationKey {
        server,
        id: created["id"]
            .as_u64()
            .context("a conversation without an id")?,
    };
    let path = format!("/api/chat/conversations/{}/members/", conversation.id);
    for id in later {
        let fields = json!({"user_id": id});
        let added = rest.request(Method::POST, &path, Some(&token), Some(&fields));
        added.await?.expect(&[201])?;
    }
    Ok(Group {
        conversation,
        members,
    })
}

/// Registers an account and logs it in. An account that was registered by a failed attempt is only
/// logged in.
async fn register(rest: &Rest, username: &str) -> Result<Arc<Account>> {
    for _ in 0..SETUP_ATTEMPTS {
        if let Ok(account) = Account::register(rest, username, PASSWORD).await {
            return Ok(Arc::new(account));
        }
        if let Ok(account) = Account::log_in(rest, username, PASSWORD).await {
            return Ok(Arc::new(account));
        }
        tokio::time::sleep(SETUP_RETRY_INTERVAL).await;
    }
    bail!("{username} could not be registered")
}

async fn create_conversation(rest: &Rest, token: &str, fields: &Value) -> Result<Value> {
    let path = "/api/chat/conversations/";
    for _ in 0..SETUP_ATTEMPTS {
        let created = rest.request(Method::POST, path, Some(token), Some(fields));
        match created.await {
            Ok(response) if response.status == 201 => return Ok(response.body),
            Ok(response) if response.status != 503 => {
                bail!("{path} answered {} {}", response.status, response.body)
            }
            _ => tokio::time::sleep(SETUP_RETRY_INTERVAL).await,
        }
    }
    bail!("{path} never answered 201")
}
