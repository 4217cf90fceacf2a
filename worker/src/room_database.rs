//! A Room's database connection, kept while it is used often.
//!
//! Connecting takes several round trips and a key derivation; a statement takes one round trip. While
//! batches follow each other the connection stays open, also between two messages. An open connection
//! keeps the object awake, which is billed: after a single statement it is closed at once, after
//! several when none has followed for [`IDLE_CLOSE_AFTER`]. So an idle Room hibernates.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use colloquy_core::ports::Clock as _;
use colloquy_core::store::PostgresStore;
use colloquy_proto::domain::Timestamp;
use worker::{Delay, Env, Result};

use crate::clock::{EdgeClock, remaining};
use crate::driver::TypedDriver;
use crate::hyperdrive::Database;

/// A statement within this time after another makes a third likely; the connection waits this long
/// for it. The time a statement runs does not count: a slow database is no pause in the conversation.
const IDLE_CLOSE_AFTER: Duration = Duration::from_secs(1);

/// The store of one Room.
pub(crate) struct RoomDatabase {
    pub(crate) store: PostgresStore<TypedDriver<Database>>,
    activity: RefCell<Activity>,
    /// Whether a task waits to close the connection.
    closing: Cell<bool>,
}

impl RoomDatabase {
    /// The database this Worker is bound to. Opens no connection yet.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            store: PostgresStore::new(TypedDriver::keeping(Database::of(env)?)),
            activity: RefCell::default(),
            closing: Cell::new(false),
        })
    }

    /// A statement is going to run.
    pub(crate) fn begin(&self) {
        self.activity.borrow_mut().begin(EdgeClock.now());
    }

    /// A statement has run, and its follow-up work has begun. Returns when the connection is closed or
    /// another task waits to close it: a timer for each statement would cost a busy Room more than
    /// its connection.
    pub(crate) async fn done(&self) {
        let is_running = self.activity.borrow_mut().done(EdgeClock.now());
        if is_running || self.closing.replace(true) {
            return;
        }
        while let Some(idle) = self.time_until_idle() {
            Delay::from(idle).await;
        }
        self.closing.set(false);
        self.store.driver().release();
    }

    /// How long another statement remains likely; `None` when the Room is idle.
    pub(crate) fn time_until_idle(&self) -> Option<Duration> {
        self.activity.borrow().time_until_idle(EdgeClock.now())
    }
}

/// How statements follow each other.
#[derive(Default)]
struct Activity {
    running: usize,
    last_done: Option<Timestamp>,
    /// Whether the last statement began soon after another had ended.
    follows: bool,
}

impl Activity {
    fn begin(&mut self, now: Timestamp) {
        if self.running == 0 {
            self.follows = self.remaining(now).is_some();
        }
        self.running += 1;
    }

    /// Whether other statements still run.
    fn done(&mut self, now: Timestamp) -> bool {
        self.running -= 1;
        self.last_done = Some(now);
        self.running > 0
    }

    /// How long to wait before checking again whether the Room is idle; `None` when it is.
    fn time_until_idle(&self, now: Timestamp) -> Option<Duration> {
        match self.running {
            0 if self.follows => self.remaining(now),
            0 => None,
            _ => Some(IDLE_CLOSE_AFTER),
        }
    }

    /// What remains of the time in which another statement is likely.
    fn remaining(&self, now: Timestamp) -> Option<Duration> {
        remaining(IDLE_CLOSE_AFTER, self.last_done, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000_000 + ms)
    }

    fn idle_ms(activity: &Activity, ms: i64) -> Option<u128> {
        activity
            .time_until_idle(at(ms))
            .map(|idle| idle.as_millis())
    }

    #[test]
    fn single_statement_leaves_no_idle_time() {
        let mut activity = Activity::default();
        assert_eq!(idle_ms(&activity, 0), None);
        for ms in [0, 10_000] {
            activity.begin(at(ms));
            activity.done(at(ms + 5));
            assert_eq!(idle_ms(&activity, ms + 5), None);
        }
    }

    #[test]
    fn following_statement_keeps_the_connection_however_long_it_runs() {
        let mut activity = Activity::default();
        activity.begin(at(0));
        activity.done(at(4_000));
        activity.begin(at(4_900));
        assert_eq!(idle_ms(&activity, 20_000), Some(1_000), "it runs");
        activity.done(at(20_000));
        assert_eq!(idle_ms(&activity, 20_000), Some(1_000));
        assert_eq!(idle_ms(&activity, 20_999), Some(1));
        assert_eq!(idle_ms(&activity, 21_000), None);
        assert_eq!(idle_ms(&activity, 1_000), None, "the clock was set back");
    }

    #[test]
    fn concurrent_statements_do_not_follow_each_other() {
        let mut activity = Activity::default();
        activity.begin(at(0));
        activity.begin(at(1));
        assert!(activity.done(at(2)), "the other one runs");
        assert!(!activity.done(at(3)));
        assert_eq!(idle_ms(&activity, 3), None);
    }
}
