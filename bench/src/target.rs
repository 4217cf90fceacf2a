//! The server that is measured: where it is, how its conversations come about, who may join.
//!
//! Users are numbered from 1. Colloquy and the Node peer have accounts, so a conversation is made
//! over REST and a socket brings a token; the other peers take any room and ask for nothing.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use colloquy_core::auth::Tokens;
use colloquy_core::config::Secret;
use colloquy_proto::domain::{Seconds, SessionId, Timestamp, UserId};
use futures_util::future;
use serde_json::{Value, json};

use crate::http::Client;
use crate::seed;
use crate::usage::Tree;

/// Long enough for any run.
const TOKEN_LIFE: Seconds = Seconds(86_400);

/// How many users there are beyond those that rooms are filled with.
pub(crate) const RESERVED: u32 = 100;

/// Connections over which conversations are made at the same time.
const MAKERS: u32 = 16;

/// How many members a conversation is made with; REST takes no more than 500 beside the caller.
/// Further ones are put into the database.
const MADE_WITH: usize = 500;

/// Which kind of server is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// With accounts, conversations and tokens.
    Accounts,
    /// Rooms of any name, open to all.
    Open,
}

/// What every command is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Where the server listens.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Whether it has accounts.
    #[arg(long, value_enum, default_value = "accounts")]
    pub(crate) kind: Kind,
    /// Signs its tokens; read from the environment, so that it is in no list of processes.
    #[arg(skip = variable("SECRET_KEY"))]
    secret: String,
    /// Where its rows are; only conversations too large for REST need it. From the environment too.
    #[arg(skip = variable("DATABASE_URL"))]
    database: String,
    /// How many users it has to fill rooms with; there are 100 more.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) users: u32,
    /// Sockets speak v2 (acknowledgements, batches).
    #[arg(long)]
    pub(crate) v2: bool,
    /// A process tree whose CPU time counts, as `name=pid`; the first is the server.
    #[arg(long = "tree")]
    pub(crate) trees: Vec<Tree>,
}

/// A variable of the environment, empty when it is not set.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The name of the login every user has from the start.
pub(crate) fn session_of(user: u32) -> String {
    format!("bench-{user}")
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

impl Target {
    /// The access token of a user's login.
    pub(crate) fn token(&self, user: u32) -> String {
        let secret = Secret::new(self.secret.as_str());
        let tokens = Tokens::new(&secret, &[], TOKEN_LIFE, TOKEN_LIFE);
        let session = SessionId(session_of(user).into());
        let issued = tokens.issue_access(UserId(i64::from(user)), &session, Timestamp(now_ms()));
        issued.0
    }

    /// A header line that says who asks.
    pub(crate) fn authorization(&self, user: u32) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(user))
    }

    /// Who is the member of this index in the room of this index.
    pub(crate) fn user(&self, room: u32, member: u32, members: u32) -> u32 {
        (room.wrapping_mul(members).wrapping_add(member)) % self.users + 1
    }

    /// Users no room of [`Self::make_rooms`] has.
    pub(crate) fn reserved(&self, index: u32) -> u32 {
        self.users + 1 + index % RESERVED
    }

    /// Makes `rooms` fresh conversations of `members` each and answers their ids.
    pub(crate) async fn make_rooms(&self, rooms: u32, members: u32) -> Result<Vec<i64>> {
        if members > self.users {
            bail!("{members} members of only {} users", self.users);
        }
        if self.kind == Kind::Open {
            let first = now_ms() * 10_000 % 1_000_000_000_000;
            return Ok((0..i64::from(rooms)).map(|room| first + room).collect());
        }
        let share = rooms.div_ceil(MAKERS).max(1);
        let shares = (0..rooms).step_by(usize::try_from(share)?);
        let shares = shares.map(|first| self.make_share(first..rooms.min(first + share), members));
        Ok(future::try_join_all(shares).await?.concat())
    }

    /// Makes the rooms of these indices, one after the other.
    async fn make_share(&self, rooms: Range<u32>, members: u32) -> Result<Vec<i64>> {
        let mut client = Client::connect(self.address).await?;
        let mut ids = Vec::new();
        for room in rooms {
            let people = (0..members).map(|member| self.user(room, member, members));
            let people: Vec<u32> = people.collect();
            let (first, rest) = people.split_at(people.len().min(MADE_WITH));
            let id = self.make_room(&mut client, first).await?;
            if !rest.is_empty() {
                seed::add_members(&self.database, id, rest).await?;
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// Makes a conversation of these users.
    pub(crate) async fn make_room(&self, client: &mut Client, people: &[u32]) -> Result<i64> {
        let (first, others) = people.split_first().context("a room without members")?;
        let body = json!({ "participants": others, "name": "bench", "kind": "group" });
        let headers = self.authorization(*first);
        let path = "/api/chat/conversations/";
        let answer = client
            .request("POST", path, &headers, &body.to_string())
            .await?;
        let answered: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answered["id"].as_i64() {
            Some(id) if answer.status == 201 => Ok(id),
            _ => bail!(
                "making a conversation was answered {}: {answered}",
                answer.status
            ),
        }
    }

    /// The request that opens a socket (RFC 6455 §4.1).
    pub(crate) fn upgrade(&self, room: i64, user: u32) -> String {
        let query = match self.kind {
            Kind::Accounts => format!("?token={}", self.token(user)),
            Kind::Open => String::new(),
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
