//! A Room's way to the database: one connection, kept while it is used often.
//!
//! Connecting takes several round trips and the derivation of a key; a statement takes one. While
//! batches follow each other the connection stays, also between two messages of a lively talk. An
//! open one keeps the object awake, which is paid for: after a statement that came alone it is
//! closed at once, after others when nothing has followed for [`LIVELY`]. So an idle Room sleeps.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use colloquy_core::ports::Clock as _;
use colloquy_core::store::PostgresStore;
use colloquy_proto::domain::Timestamp;
use worker::{Delay, Env, Result};

use crate::clock::{EdgeClock, left};
use crate::driver::TypedDriver;
use crate::hyperdrive::Database;

/// How soon after one statement the next begins where a third is likely, and how long the connection
/// waits for it. What a statement takes does not count: a slow database is no pause in the talk.
const LIVELY: Duration = Duration::from_secs(1);

/// The store of one Room.
pub(crate) struct RoomDatabase {
    pub(crate) store: PostgresStore<TypedDriver<Database>>,
    talk: RefCell<Talk>,
    /// Whether somebody waits to close the connection.
    lingers: Cell<bool>,
}

impl RoomDatabase {
    /// The one this Worker is bound to. Opens no connection yet.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            store: PostgresStore::new(TypedDriver::keeping(Database::of(env)?)),
            talk: RefCell::default(),
            lingers: Cell::new(false),
        })
    }

    /// A statement is going to run.
    pub(crate) fn begin(&self) {
        self.talk.borrow_mut().begin(EdgeClock.now());
    }

    /// A statement has run, and what follows from it has begun. Returns when the connection is
    /// closed or somebody else sees to it. One sees to it for all: a timer for each statement
    /// would cost a busy Room more than its connection.
    pub(crate) async fn done(&self) {
        let runs = self.talk.borrow_mut().done(EdgeClock.now());
        if runs || self.lingers.replace(true) {
            return;
        }
        while let Some(rest) = self.rest() {
            Delay::from(rest).await;
        }
        self.lingers.set(false);
        self.store.driver().release();
    }

    /// For how long the talk is likely to go on; `None` when it is over.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.talk.borrow().rest(EdgeClock.now())
    }
}

/// How statements follow each other.
#[derive(Default)]
struct Talk {
    running: usize,
    last_done: Option<Timestamp>,
    /// Whether what ran last began soon after something had run.
    follows: bool,
}

impl Talk {
    fn begin(&mut self, now: Timestamp) {
        if self.running == 0 {
            self.follows = self.left(now).is_some();
        }
        self.running += 1;
    }

    /// Whether others run still.
    fn done(&mut self, now: Timestamp) -> bool {
        self.running -= 1;
        self.last_done = Some(now);
        self.running > 0
    }

    /// For how long it may go on before it is asked again; `None` when it is over.
    fn rest(&self, now: Timestamp) -> Option<Duration> {
        match self.running {
            0 if self.follows => self.left(now),
            0 => None,
            _ => Some(LIVELY),
        }
    }

    /// What is left of the time in which something is likely to follow.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        left(LIVELY, self.last_done, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000_000 + ms)
    }

    fn rest_ms(talk: &Talk, ms: i64) -> Option<u128> {
        talk.rest(at(ms)).map(|rest| rest.as_millis())
    }

    #[test]
    fn one_alone_is_waited_for_by_nobody() {
        let mut talk = Talk::default();
        assert_eq!(rest_ms(&talk, 0), None);
        for ms in [0, 10_000] {
            talk.begin(at(ms));
            talk.done(at(ms + 5));
            assert_eq!(rest_ms(&talk, ms + 5), None);
        }
    }

    #[test]
    fn what_follows_soon_is_waited_for_however_long_it_takes_itself() {
        let mut talk = Talk::default();
        talk.begin(at(0));
        talk.done(at(4_000));
        talk.begin(at(4_900));
        assert_eq!(rest_ms(&talk, 20_000), Some(1_000), "it runs");
        talk.done(at(20_000));
        assert_eq!(rest_ms(&talk, 20_000), Some(1_000));
        assert_eq!(rest_ms(&talk, 20_999), Some(1));
        assert_eq!(rest_ms(&talk, 21_000), None);
        assert_eq!(rest_ms(&talk, 1_000), None, "a clock set back");
    }

    #[test]
    fn two_at_once_do_not_follow_each_other() {
        let mut talk = Talk::default();
        talk.begin(at(0));
        talk.begin(at(1));
        assert!(talk.done(at(2)), "the other runs");
        assert!(!talk.done(at(3)));
        assert_eq!(rest_ms(&talk, 3), None);
    }
}
