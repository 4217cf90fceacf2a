//! A Room's way to the database: one connection, kept while it is used often.
//!
//! Connecting takes several round trips and the derivation of a key; a statement takes one. While
//! batches follow each other the connection stays, also between two messages of a lively talk. An
//! open one keeps the object awake, which is paid for: after a statement that came alone it is
//! closed at once, after others when nothing has followed for [`LINGER_MS`]. So an idle Room sleeps.

use std::cell::Cell;
use std::time::Duration;

use colloquy_core::domain::Timestamp;
use colloquy_core::ports::Clock as _;
use colloquy_core::store::PostgresStore;
use worker::{Delay, Env, Result};

use crate::clock::EdgeClock;
use crate::driver::TypedDriver;
use crate::hyperdrive::Database;

/// How close two statements are that make a third likely, and how long the connection waits for it.
const LINGER_MS: i64 = 1_000;

/// The store of one Room.
pub(crate) struct RoomDatabase {
    pub(crate) store: PostgresStore<TypedDriver<Database>>,
    running: Cell<usize>,
    last_done: Cell<Timestamp>,
    /// Whether somebody waits to close the connection.
    lingers: Cell<bool>,
}

impl RoomDatabase {
    /// The one this Worker is bound to. Opens no connection yet.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            store: PostgresStore::new(TypedDriver::keeping(Database::of(env)?)),
            running: Cell::new(0),
            last_done: Cell::new(Timestamp(0)),
            lingers: Cell::new(false),
        })
    }

    /// A statement is going to run.
    pub(crate) fn begin(&self) {
        self.running.set(self.running.get() + 1);
    }

    /// A statement has run, and what follows from it has begun. Returns when the connection is
    /// closed or somebody else sees to it.
    pub(crate) async fn done(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() > 0 {
            return;
        }
        let now = EdgeClock.now();
        let since = now.millis_since(self.last_done.replace(now));
        if self.lingers.get() {
            return;
        }
        if (0..LINGER_MS).contains(&since) {
            self.lingers.set(true);
            self.linger().await;
            self.lingers.set(false);
        }
        self.store.driver().release();
    }

    /// Returns when nothing runs and nothing has for [`LINGER_MS`]. One waits for all: a timer for
    /// each statement would cost a busy Room more than its connection.
    async fn linger(&self) {
        let mut rest_ms = LINGER_MS;
        while (1..=LINGER_MS).contains(&rest_ms) {
            Delay::from(Duration::from_millis(rest_ms.unsigned_abs())).await;
            let idle_ms = EdgeClock.now().millis_since(self.last_done.get());
            let running = self.running.get() > 0;
            rest_ms = if running {
                LINGER_MS
            } else {
                LINGER_MS - idle_ms
            };
        }
    }
}
