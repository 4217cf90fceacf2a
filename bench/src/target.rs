//! The server under test: its address, its conversations, its tokens.
//!
//! Users are numbered from 1. Colloquy and the Node baseline have accounts, so conversations are
//! created over REST and a socket needs a token; the other baselines admit any client to any room.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use colloquy_core::auth::Tokens;
use colloquy_core::config::Secret;
use colloquy_proto::domain::{Seconds, SessionId, Timestamp, UserId};
use futures_util::future;
use serde_json::{Value, json};

use crate::http::HttpClient;
use crate::proc_usage::ProcessTree;
use crate::seed::{self, now_ms, session_of};

/// Longer than any run.
const TOKEN_LIFE: Seconds = Seconds(86_400);

/// Users beyond those that rooms are filled with.
pub(crate) const RESERVED: u32 = 100;

/// Concurrent connections that create conversations.
const CREATORS: u32 = 16;

/// How many members a conversation is created with; REST allows 500 besides the caller. Further
/// members are inserted into the database.
const CREATED_WITH: usize = 101;

/// The kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetKind {
    /// With accounts, conversations and tokens.
    Accounts,
    /// Rooms of any name without accounts.
    Open,
}

/// The options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// The address of the server.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Whether it has accounts.
    #[arg(long, value_enum, default_value = "accounts")]
    pub(crate) kind: TargetKind,
    /// Signs access tokens; read from the environment, so that no process list shows it.
    #[arg(skip = variable("SECRET_KEY"))]
    secret: String,
    /// The database, needed for conversations too large for REST; read from the environment, too.
    #[arg(skip = variable("DATABASE_URL"))]
    database: String,
    /// Number of seeded users to fill rooms with; there are 100 more.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) users: u32,
    /// Sockets speak v2 (acknowledgements, batches).
    #[arg(long)]
    pub(crate) v2: bool,
    /// A process tree whose CPU time counts, as `name=pid`; the first is the server.
    #[arg(long = "tree")]
    pub(crate) trees: Vec<ProcessTree>,
}

/// An environment variable, empty if it is not set.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

impl Target {
    /// An access token of a user's session.
    pub(crate) fn token(&self, user: u32) -> String {
        let secret = Secret::new(self.secret.as_str());
        let tokens = Tokens::new(&secret, &[], TOKEN_LIFE, TOKEN_LIFE);
        let session = SessionId(session_of(user).into());
        let issued = tokens.issue_access(UserId(i64::from(user)), &session, Timestamp(now_ms()));
        issued.0
    }

    /// The `Authorization` header line of a user.
    pub(crate) fn authorization(&self, user: u32) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(user))
    }

    /// The user that is member number `member` of room number `room`.
    pub(crate) fn user(&self, room: u32, member: u32, members: u32) -> u32 {
        (room.wrapping_mul(members).wrapping_add(member)) % self.users + 1
    }

    /// A user that is in no room of [`Self::create_rooms`].
    pub(crate) fn reserved(&self, index: u32) -> u32 {
        self.users + 1 + index % RESERVED
    }

    /// Creates `rooms` conversations of `members` each and returns their ids.
    pub(crate) async fn create_rooms(&self, rooms: u32, members: u32) -> Result<Vec<i64>> {
        if members > self.users {
            bail!("{members} members of only {} users", self.users);
        }
        if self.kind == TargetKind::Open {
            let first = now_ms() * 10_000 % 1_000_000_000_000;
            return Ok((0..i64::from(rooms)).map(|room| first + room).collect());
        }
        let share = rooms.div_ceil(CREATORS).max(1);
        let shares = (0..rooms).step_by(usize::try_from(share)?);
        let shares =
            shares.map(|first| self.create_share(first..rooms.min(first + share), members));
        Ok(future::try_join_all(shares).await?.concat())
    }

    /// Creates the rooms with these indices, one after the other.
    async fn create_share(&self, rooms: Range<u32>, members: u32) -> Result<Vec<i64>> {
        let mut client = HttpClient::connect(self.address).await?;
        let mut ids = Vec::new();
        for room in rooms {
            let users = (0..members).map(|member| self.user(room, member, members));
            let users: Vec<u32> = users.collect();
            let (first, rest) = users.split_at(users.len().min(CREATED_WITH));
            let id = self.create_room(&mut client, first).await?;
            if !rest.is_empty() {
                seed::add_members(&self.database, id, rest).await?;
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// Creates a conversation of these users.
    pub(crate) async fn create_room(&self, client: &mut HttpClient, users: &[u32]) -> Result<i64> {
        let (first, others) = users.split_first().context("a room without members")?;
        let body = json!({ "participants": others, "name": "bench", "kind": "group" });
        let headers = self.authorization(*first);
        let path = "/api/chat/conversations/";
        let response = client
            .request("POST", path, &headers, &body.to_string())
            .await?;
        let response_body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        match response_body["id"].as_i64() {
            Some(id) if response.status == 201 => Ok(id),
            _ => bail!(
                "creating a conversation failed with {}: {response_body}",
                response.status
            ),
        }
    }

    /// The request that opens a socket (RFC 6455 §4.1).
    pub(crate) fn upgrade(&self, room: i64, user: u32) -> String {
        let query = match self.kind {
            TargetKind::Accounts => format!("?token={}", self.token(user)),
            TargetKind::Open => String::new(),
        };
        let protocol = if self.v2 {
            "Sec-WebSocket-Protocol: chat.v2\r\n"
        } else {
            ""
        };
        format!(
            "GET /ws/chat/{room}/{query} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n",
            self.address
        )
    }
}
