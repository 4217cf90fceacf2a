//! One multiplexed connection to Redis, opened on demand and reopened after it is lost.
//!
//! Owns connecting, the timeouts and the translation between RESP and the codec. It never sends a
//! command twice: a caller whose reply is lost receives an error and decides itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisError, ServerError, Value};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::RedisAddress;
use crate::codec::{Command, CommandError, Outcome, Reply};

/// From requesting a connection to the last reply. A slower Redis counts as failed.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// Shorter than `REPLY_TIMEOUT`: while one caller waits for an address that drops packets, others
/// wait for the same lock, and the next one still needs time for its own attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("redis is not reachable")]
    Unreachable,
    /// Redis answered `AUTH` or `SELECT` of `REDIS_URL` with this error.
    #[error("redis rejected the login: {0}")]
    Login(CommandError),
    #[error("redis timed out, the commands may have run")]
    Timeout,
}

#[derive(Debug)]
pub(super) struct RedisConnection {
    address: RedisAddress,
    open: Mutex<Option<OpenConnection>>,
    /// The state logged last, so that an outage is one line and not one per request.
    reachable: AtomicBool,
}

/// A connection, and whether it is closed.
#[derive(Debug, Clone)]
struct OpenConnection {
    connection: MultiplexedConnection,
    closed: Arc<AtomicBool>,
}

impl OpenConnection {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Makes the next caller open another connection; callers that wait on this one continue.
    fn mark_closed(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl RedisConnection {
    /// A connection to `address`; connects at first use.
    pub(super) fn new(address: RedisAddress) -> Self {
        Self {
            address,
            open: Mutex::new(None),
            reachable: AtomicBool::new(true),
        }
    }

    /// Redis' answer to `PING`.
    pub(super) async fn ping(&self) -> Result<Result<(), CommandError>, ConnectionError> {
        let outcomes = self.run(&[Command::new("PING")]).await?;
        Ok(outcomes
            .into_iter()
            .try_for_each(|outcome| outcome.map(drop)))
    }

    /// Runs the commands in order, in one write; commands of other callers may run between them.
    pub(super) async fn run(&self, commands: &[Command]) -> Result<Vec<Outcome>, ConnectionError> {
        let replies = self.exchange(&packed(commands.iter())).await?;
        Ok(replies.into_iter().map(outcome).collect())
    }

    /// Runs the commands as one transaction, in one write. The inner error means that Redis rejected
    /// one of them while queueing, so that none has run.
    pub(super) async fn transact(
        &self,
        commands: &[Command],
    ) -> Result<Result<Vec<Outcome>, CommandError>, ConnectionError> {
        let (multi, exec) = (Command::new("MULTI"), Command::new("EXEC"));
        let whole = std::iter::once(&multi)
            .chain(commands)
            .chain(std::iter::once(&exec));
        let mut replies = self.exchange(&packed(whole)).await?;
        let executed = replies.pop();
        let rejected = replies.into_iter().find_map(|reply| outcome(reply).err());
        Ok(match (executed, rejected) {
            (Some(Value::Array(replies)), _) => Ok(replies.into_iter().map(outcome).collect()),
            // Redis' own EXECABORT does not name the command; the error of the command does.
            (_, Some(rejected)) => {
                let text = format!("EXECABORT Transaction discarded because of: {rejected}");
                Err(CommandError::new(text))
            }
            (Some(Value::ServerError(error)), None) => Err(command_error(&error)),
            _ => Err(CommandError::new("ERR the transaction was not executed")),
        })
    }

    async fn exchange(&self, pipeline: &Pipeline) -> Result<Vec<Value>, ConnectionError> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        let open = match timeout_at(deadline, self.open()).await {
            Ok(open) => open?,
            Err(_) => return Err(self.failed(ConnectionError::Unreachable, "connect timeout")),
        };
        let mut connection = open.connection.clone();
        let sent = connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout_at(deadline, sent).await {
            Ok(Ok(replies)) => {
                self.succeeded();
                Ok(replies)
            }
            // Errors of commands are replies; an error here is the connection's.
            Ok(Err(error)) => {
                open.mark_closed();
                Err(self.failed(ConnectionError::Unreachable, &reason(&error)))
            }
            // A slow command, or a peer that vanished without closing the connection. A new connection
            // is cheap and resolves both.
            Err(_) => {
                open.mark_closed();
                Err(self.failed(ConnectionError::Timeout, "reply timeout"))
            }
        }
    }

    /// The open connection, or a new one. Concurrent callers wait for the same attempt.
    async fn open(&self) -> Result<OpenConnection, ConnectionError> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        *open = None;
        match timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(Ok(Ok(opened))) => Ok(open.insert(opened).clone()),
            Ok(Ok(Err(rejected))) => {
                let text = rejected.to_string();
                Err(self.failed(ConnectionError::Login(rejected), &text))
            }
            Ok(Err(error)) => Err(self.failed(ConnectionError::Unreachable, &reason(&error))),
            Err(_) => Err(self.failed(ConnectionError::Unreachable, "connect timeout")),
        }
    }

    /// A connection that is logged in. The inner error is Redis' answer to the login.
    async fn connect(&self) -> Result<Result<OpenConnection, CommandError>, RedisError> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        stream.set_nodelay(true)?;
        // This module has its own timeouts; the library's default is shorter.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened =
            MultiplexedConnection::new_with_config(&self.address.connection, stream, config).await;
        let (mut connection, driver) = opened?;
        let closed = Arc::new(AtomicBool::new(false));
        let on_close = Arc::clone(&closed);
        // The library's task ends as soon as Redis closes the connection, so a restart between two
        // requests is noticed before the next request uses the dead connection.
        tokio::spawn(async move {
            driver.await;
            on_close.store(true, Ordering::Release);
        });
        if !self.address.login.is_empty() {
            let login = packed(self.address.login.iter());
            let replies = connection
                .send_packed_commands(&login, 0, login.len())
                .await?;
            if let Some(rejected) = replies.into_iter().find_map(|reply| outcome(reply).err()) {
                return Ok(Err(rejected));
            }
        }
        Ok(Ok(OpenConnection { connection, closed }))
    }

    fn succeeded(&self) {
        if !self.reachable.swap(true, Ordering::Relaxed) {
            tracing::info!("redis recovered");
        }
    }

    fn failed(&self, error: ConnectionError, why: &str) -> ConnectionError {
        if self.reachable.swap(false, Ordering::Relaxed) {
            tracing::warn!(redis.address = ?self.address, redis.error = why, "{error}");
        }
        error
    }
}

/// The system's reason for an I/O error, otherwise the library's category: other texts may quote data.
fn reason(error: &RedisError) -> String {
    if error.is_io_error() {
        error.to_string()
    } else {
        error.category().to_owned()
    }
}

fn packed<'a>(commands: impl Iterator<Item = &'a Command>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for command in commands {
        let mut packed = redis::Cmd::new();
        packed.arg(command.words());
        pipeline.add_command(packed);
    }
    pipeline
}

fn outcome(value: Value) -> Outcome {
    match reply(value) {
        Reply::Error(error) => Err(error),
        reply => Ok(reply),
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(integer) => Reply::Integer(integer),
        Value::Okay => Reply::Text("OK".to_owned()),
        Value::SimpleString(text) => Reply::Text(text),
        Value::BulkString(bytes) => Reply::from_bytes(bytes),
        Value::Array(values) => Reply::Array(values.into_iter().map(reply).collect()),
        Value::ServerError(error) => Reply::Error(command_error(&error)),
        // Types of RESP3; the connection uses RESP2.
        _ => Reply::Error(CommandError::new("ERR redis sent a reply outside RESP2")),
    }
}

/// The error as Redis sent it; the library splits off its first word as the code.
fn command_error(error: &ServerError) -> CommandError {
    match error.details() {
        Some(details) => CommandError::new(format!("{} {details}", error.code())),
        None => CommandError::new(error.code()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn closed_port_fails_at_once() -> io::Result<()> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let address = RedisAddress::parse(&format!("redis://{free}")).expect("an address");
        let started = Instant::now();
        assert_eq!(
            RedisConnection::new(address).ping().await,
            Err(ConnectionError::Unreachable)
        );
        assert!(started.elapsed() < Duration::from_millis(500));
        Ok(())
    }

    #[tokio::test]
    async fn unresponsive_server_times_out_for_every_caller() -> io::Result<()> {
        // The backlog accepts the connection; nothing responds.
        let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", silent.local_addr()?);
        let redis = Arc::new(RedisConnection::new(
            RedisAddress::parse(&url).expect("an address"),
        ));
        let started = Instant::now();
        let callers: Vec<_> = (0..20)
            .map(|_| {
                let redis = Arc::clone(&redis);
                tokio::spawn(async move { redis.ping().await })
            })
            .collect();
        for caller in callers {
            assert_eq!(
                caller.await.expect("no panic"),
                Err(ConnectionError::Unreachable)
            );
        }
        assert!(started.elapsed() < REPLY_TIMEOUT + Duration::from_millis(500));
        Ok(())
    }
}
