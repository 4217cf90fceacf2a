//! A Durable Object of rate limits: the token buckets of a share of all keys.
//!
//! Buckets are counted in memory. One that is not full again by the time the object may be evicted is
//! also a row of the object's database, so that neither hibernation nor a restart resets it; the
//! bucket of a user who is far from a limit costs no write. An alarm deletes the rows of buckets that
//! are full again. Both memory and rows are bounded.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use colloquy_core::counters::TokenBuckets;
use colloquy_core::ports::{Charge, Clock as _, CounterKey, CounterKind, Returned};
use colloquy_proto::domain::{Seconds, Timestamp};
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
};

use crate::clock::EdgeClock;
use crate::rpc::{self, CHARGE, GIVE_BACK};

/// The most buckets of a kind that are not full.
const CAPACITY: usize = 8_192;

/// The most rows. Beyond it, buckets are in memory only until the alarm has made room.
const MAX_ROWS: usize = 50_000;

/// The runtime evicts an object no earlier than this after its last request.
const SHORTEST_LIFE: Seconds = Seconds(10);

/// How often the rows of full buckets are deleted, and how often at most when there are too many.
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);
const SHORTEST_SWEEP_INTERVAL: Seconds = Seconds(60);

/// One object's share of the counters.
#[durable_object]
#[derive(Debug)]
pub struct LimitsObject {
    state: State,
    /// `None` until the rows are loaded.
    loaded: RefCell<Option<Loaded>>,
}

// A panic leaves nothing half changed: `fetch` drops what may be.
impl UnwindSafe for LimitsObject {}
impl RefUnwindSafe for LimitsObject {}

#[derive(Debug)]
struct Loaded {
    buckets: TokenBuckets,
    /// The rows, or more: an update counts too, until the next sweep.
    rows: usize,
    swept_at: Timestamp,
}

/// A row of the table `buckets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// Kind and key.
    name: String,
    /// When the bucket is full again, in milliseconds.
    full_at: i64,
}

impl LimitsObject {
    async fn serve(&self, mut request: Request) -> Result<Response> {
        // Not `Request::json`: the numbers of JavaScript are too small for a key.
        let body = request.text().await?;
        match request.path().as_str() {
            CHARGE => {
                let charges: Vec<Charge> = serde_json::from_str(&body)?;
                let now = EdgeClock.now();
                let outcome = self.with_loaded(|loaded, sql| {
                    let outcome = loaded.buckets.charge(&charges, now);
                    loaded.store(sql, charges.iter(), now)?;
                    Ok(outcome)
                })?;
                self.schedule_sweep().await?;
                Response::from_json(&outcome)
            }
            GIVE_BACK => {
                let returned: Vec<(Charge, Returned)> = serde_json::from_str(&body)?;
                let now = EdgeClock.now();
                self.with_loaded(|loaded, sql| {
                    loaded.buckets.give_back(&returned, now);
                    loaded.store(sql, returned.iter().map(|(charge, _)| charge), now)
                })?;
                Response::from_json(&())
            }
            _ => Response::error("there is no such call", 404),
        }
    }

    /// Runs without an await: no other request of the object comes between.
    fn with_loaded<T>(
        &self,
        action: impl FnOnce(&mut Loaded, &SqlStorage) -> Result<T>,
    ) -> Result<T> {
        let sql = self.state.storage().sql();
        let mut loaded = self.loaded.borrow_mut();
        let loaded = match &mut *loaded {
            Some(loaded) => loaded,
            none => none.insert(Loaded::read(&sql)?),
        };
        action(loaded, &sql)
    }

    /// One alarm at a time, while there are rows.
    async fn schedule_sweep(&self) -> Result<()> {
        let has_rows = self.with_loaded(|loaded, _| Ok(loaded.rows > 0))?;
        let storage = self.state.storage();
        if has_rows && storage.get_alarm().await?.is_none() {
            storage.set_alarm(SWEEP_INTERVAL).await?;
        }
        Ok(())
    }
}

impl Loaded {
    fn read(sql: &SqlStorage) -> Result<Self> {
        sql.exec(
            "create table if not exists buckets (
                name text primary key, full_at integer not null
            ) strict, without rowid",
            None,
        )?;
        let rows: Vec<Row> = sql
            .exec("select name, full_at from buckets", None)?
            .to_array()?;
        let mut buckets = TokenBuckets::new(CAPACITY);
        for row in &rows {
            if let Some((kind, key)) = parse(&row.name) {
                buckets.restore(kind, key, Timestamp(row.full_at));
            }
        }
        Ok(Self {
            buckets,
            rows: rows.len(),
            swept_at: Timestamp::default(),
        })
    }

    /// Stores the buckets of these charges as they are now.
    fn store<'a>(
        &mut self,
        sql: &SqlStorage,
        charges: impl Iterator<Item = &'a Charge>,
        now: Timestamp,
    ) -> Result<()> {
        for Charge { kind, key, .. } in charges {
            let name = name(*kind, *key);
            match self.buckets.full_at(*kind, *key) {
                Some(full_at) if full_at > now.plus(SHORTEST_LIFE) => {
                    if !self.has_room(sql, now)? {
                        continue;
                    }
                    sql.exec(
                        "insert into buckets (name, full_at) values (?, ?)
                        on conflict (name) do update set full_at = excluded.full_at
                        where full_at <> excluded.full_at",
                        vec![name.into(), SqlStorageValue::Integer(full_at.0)],
                    )?;
                    self.rows += 1;
                }
                // An earlier state of the bucket must not be loaded.
                None => {
                    sql.exec("delete from buckets where name = ?", vec![name.into()])?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether another row may be written.
    fn has_room(&mut self, sql: &SqlStorage, now: Timestamp) -> Result<bool> {
        if self.rows >= MAX_ROWS && now >= self.swept_at.plus(SHORTEST_SWEEP_INTERVAL) {
            self.sweep(sql, now)?;
        }
        Ok(self.rows < MAX_ROWS)
    }

    /// Deletes the rows of full buckets and counts the others.
    fn sweep(&mut self, sql: &SqlStorage, now: Timestamp) -> Result<()> {
        #[derive(Deserialize)]
        struct Count {
            rows: usize,
        }
        sql.exec(
            "delete from buckets where full_at <= ?",
            vec![SqlStorageValue::Integer(now.0)],
        )?;
        let count: Count = sql
            .exec("select count(*) as rows from buckets", None)?
            .one()?;
        self.rows = count.rows;
        self.swept_at = now;
        Ok(())
    }
}

/// The name of a bucket in the database.
fn name(kind: CounterKind, key: CounterKey) -> String {
    let kind = kind as usize;
    format!("{kind}:{:x}:{:x}", key.partition, key.item)
}

fn parse(name: &str) -> Option<(CounterKind, CounterKey)> {
    let mut parts = name.split(':');
    let kind: usize = parts.next()?.parse().ok()?;
    let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
    let (partition, item) = (number()?, number()?);
    let kind = CounterKind::ALL.get(kind)?;
    Some((*kind, CounterKey { partition, item }))
}

impl DurableObject for LimitsObject {
    fn new(state: State, _env: Env) -> Self {
        Self {
            state,
            loaded: RefCell::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let span = rpc::span(&request);
        let served = AssertUnwindSafe(self.serve(request).instrument(span)).catch_unwind();
        served.await.unwrap_or_else(|_| {
            // Half changed, perhaps: the rows are loaded again.
            self.loaded.take();
            Err("the counters panicked".into())
        })
    }

    async fn alarm(&self) -> Result<Response> {
        self.with_loaded(|loaded, sql| loaded.sweep(sql, EdgeClock.now()))?;
        self.schedule_sweep().await?;
        Response::empty()
    }

    async fn connect(&self, _socket: worker::Socket) -> Result<()> {
        Err("a limits object accepts no connections".into())
    }

    async fn websocket_message(
        &self,
        _socket: worker::WebSocket,
        _message: worker::WebSocketIncomingMessage,
    ) -> Result<()> {
        Err("a limits object has no sockets".into())
    }

    async fn websocket_close(
        &self,
        _socket: worker::WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        Err("a limits object has no sockets".into())
    }

    async fn websocket_error(
        &self,
        _socket: worker::WebSocket,
        _error: worker::Error,
    ) -> Result<()> {
        Err("a limits object has no sockets".into())
    }
}

#[cfg(test)]
mod tests {
    use colloquy_core::ports::Bucket;
    use colloquy_fuzz::{Rng, for_all};

    use super::*;

    fn some_key(random: &mut Rng) -> CounterKey {
        CounterKey {
            partition: random.u64(..),
            item: random.u64(..),
        }
    }

    fn some_kind(random: &mut Rng) -> CounterKind {
        CounterKind::ALL[random.usize(0..CounterKind::ALL.len())]
    }

    #[test]
    fn charges_round_trip() {
        for_all("charges_round_trip", 2_000, |random| {
            let bucket = Bucket {
                burst: random.i64(..),
                interval_ms: random.i64(..),
            };
            let charge = Charge {
                kind: some_kind(random),
                key: some_key(random),
                bucket,
            };
            let text = serde_json::to_string(&[(charge, Returned::All)]).expect("JSON");
            let decoded: Vec<(Charge, Returned)> = serde_json::from_str(&text).expect("JSON");
            assert_eq!(decoded, [(charge, Returned::All)]);
        });
    }

    #[test]
    fn names_of_buckets_round_trip() {
        for_all("names_of_buckets_round_trip", 2_000, |random| {
            let (kind, key) = (some_kind(random), some_key(random));
            assert_eq!(parse(&name(kind, key)), Some((kind, key)));
        });
        for other in ["", "x", "1:2", "99:1:1", "1:g:0", "1::"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
