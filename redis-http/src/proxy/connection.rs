//! The link: one multiplexed connection to Redis, opened when it is needed and opened anew when
//! it is gone.
//!
//! Owns connecting, the time limits and the translation between RESP and the codec. It never
//! sends a command twice: a caller whose answer was lost is told so and knows best what to do.

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

/// From asking for a connection to the last reply. A cache that takes longer has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Shorter than `ANSWER_LIMIT`: while one caller waits for an address that swallows packets,
/// others wait for the same lock, and the next must still get a turn.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Why Redis gave no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("redis is not reachable")]
    Unreachable,
    #[error("redis did not answer in time, the commands may have run")]
    Late,
}

#[derive(Debug)]
pub(super) struct RedisConnection {
    address: RedisAddress,
    live: Mutex<Option<Live>>,
    /// What was logged last, so that an outage is one line and not one per request.
    reachable: AtomicBool,
}

/// A connection and whether it has ended.
#[derive(Debug, Clone)]
struct Live {
    connection: MultiplexedConnection,
    ended: Arc<AtomicBool>,
}

impl Live {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Lets the next caller open another; whoever still waits on this one may go on.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl RedisConnection {
    /// A link to `address`; connects at the first use.
    pub(super) fn new(address: RedisAddress) -> Self {
        Self {
            address,
            live: Mutex::new(None),
            reachable: AtomicBool::new(true),
        }
    }

    /// True if Redis answers `PING`.
    pub(super) async fn ping(&self) -> Result<bool, ConnectionError> {
        let outcomes = self.run(&[Command::new("PING")]).await?;
        Ok(outcomes.iter().all(Result::is_ok))
    }

    /// Runs the commands in order, in one write; other callers' may run between them.
    pub(super) async fn run(&self, commands: &[Command]) -> Result<Vec<Outcome>, ConnectionError> {
        let replies = self.exchange(&packed(commands.iter())).await?;
        Ok(replies.into_iter().map(outcome).collect())
    }

    /// Runs the commands as one transaction, in one write. The inner error is Redis refusing to
    /// queue one of them, upon which none has run.
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
        let refused = replies.into_iter().find_map(|reply| outcome(reply).err());
        Ok(match (executed, refused) {
            (Some(Value::Array(replies)), _) => Ok(replies.into_iter().map(outcome).collect()),
            // Redis' own EXECABORT does not say which command it was; the refusal does.
            (_, Some(refused)) => {
                let text = format!("EXECABORT Transaction discarded because of: {refused}");
                Err(CommandError::new(text))
            }
            (Some(Value::ServerError(error)), None) => Err(command_error(&error)),
            _ => Err(CommandError::new("ERR the transaction was not executed")),
        })
    }

    async fn exchange(&self, pipeline: &Pipeline) -> Result<Vec<Value>, ConnectionError> {
        let deadline = Instant::now() + ANSWER_LIMIT;
        let live = match timeout_at(deadline, self.live()).await {
            Ok(live) => live?,
            Err(_) => return Err(self.lost(ConnectionError::Unreachable, "no connection in time")),
        };
        let mut connection = live.connection.clone();
        let sent = connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout_at(deadline, sent).await {
            Ok(Ok(replies)) => {
                self.answered();
                Ok(replies)
            }
            // Refusals are replies; an error here is the connection's.
            Ok(Err(error)) => {
                live.end();
                Err(self.lost(ConnectionError::Unreachable, error.category()))
            }
            // Perhaps a slow command, perhaps a connection whose other end is gone without a
            // word. A fresh one costs little and gets over both.
            Err(_) => {
                live.end();
                Err(self.lost(ConnectionError::Late, "no answer in time"))
            }
        }
    }

    /// The connection, opened anew if there is none. Callers that come meanwhile wait for the
    /// same attempt.
    async fn live(&self) -> Result<Live, ConnectionError> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.has_ended()) {
            return Ok(live.clone());
        }
        *live = None;
        match timeout(CONNECT_LIMIT, self.connect()).await {
            Ok(Ok(opened)) => Ok(live.insert(opened).clone()),
            Ok(Err(error)) => Err(self.lost(ConnectionError::Unreachable, error.category())),
            Err(_) => Err(self.lost(ConnectionError::Unreachable, "no connection in time")),
        }
    }

    async fn connect(&self) -> Result<Live, RedisError> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        stream.set_nodelay(true)?;
        // The limits here are this module's own; the library's would cut off earlier.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened =
            MultiplexedConnection::new_with_config(&self.address.login, stream, config).await;
        let (connection, driver) = opened?;
        let ended = Arc::new(AtomicBool::new(false));
        let at_end = Arc::clone(&ended);
        // The driver ends as soon as Redis hangs up, so that a restart between two requests is
        // known before the next one would be lost to a dead connection.
        tokio::spawn(async move {
            driver.await;
            at_end.store(true, Ordering::Release);
        });
        Ok(Live { connection, ended })
    }

    fn answered(&self) {
        if !self.reachable.swap(true, Ordering::Relaxed) {
            tracing::info!("redis is reachable again");
        }
    }

    fn lost(&self, error: ConnectionError, why: &str) -> ConnectionError {
        if self.reachable.swap(false, Ordering::Relaxed) {
            tracing::warn!(redis.address = ?self.address, redis.error = why, "{error}");
        }
        error
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
        // RESP3's shapes; the connection speaks RESP2.
        _ => Reply::Error(CommandError::new("ERR redis sent a reply outside RESP2")),
    }
}

/// The refusal as Redis wrote it: the library takes its first word off as the code.
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
    async fn an_address_nobody_listens_on_is_told_at_once() -> io::Result<()> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let address = RedisAddress::parse(&format!("redis://{free}")).expect("an address");
        let begun = Instant::now();
        assert_eq!(
            RedisConnection::new(address).ping().await,
            Err(ConnectionError::Unreachable)
        );
        assert!(begun.elapsed() < Duration::from_millis(500));
        Ok(())
    }

    #[tokio::test]
    async fn a_server_that_never_answers_costs_every_caller_two_seconds_at_most() -> io::Result<()>
    {
        // Accepts by its backlog and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", silent.local_addr()?);
        let link = Arc::new(RedisConnection::new(
            RedisAddress::parse(&url).expect("an address"),
        ));
        let begun = Instant::now();
        let callers: Vec<_> = (0..20)
            .map(|_| {
                let link = Arc::clone(&link);
                tokio::spawn(async move { link.ping().await })
            })
            .collect();
        for caller in callers {
            assert_eq!(
                caller.await.expect("no panic"),
                Err(ConnectionError::Unreachable)
            );
        }
        assert!(begun.elapsed() < ANSWER_LIMIT + Duration::from_millis(500));
        Ok(())
    }
}
