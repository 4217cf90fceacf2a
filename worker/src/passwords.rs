//! Password hashing where the request is: an isolate has one thread, so there is nothing to hand
//! it to. Hashes take turns with everything else the isolate serves, and few wait.
//!
//! A turn is a time, not a place in a queue: a request that goes away while it waits is never
//! heard of again, and would keep its place for good. Owns the memory hashing takes, once an
//! isolate: wasm gives none back, so it is used again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::{Clock as _, Passwords};
use colloquy_proto::domain::Timestamp;
use worker::Delay;
use worker::send::SendFuture;

use crate::clock::EdgeClock;

/// How long a job may wait, in milliseconds. Who would wait longer is better told to come back.
const MAX_WAIT_MS: i64 = 2_500;

/// What others get of the isolate between two jobs, in milliseconds.
const REST_MS: i64 = 15;

/// How long a job is taken to last, in milliseconds: before one was timed, and at most.
const FIRST_MS: i64 = 60;
const LONGEST_MS: i64 = 500;

/// Runs one job at a time, each in its turn.
#[derive(Default)]
pub(crate) struct InlinePasswords {
    memory: Mutex<HashMemory>,
    turns: Mutex<Turns>,
}

#[async_trait]
impl Passwords for InlinePasswords {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        let wait = self.turns(|turns| turns.take(EdgeClock.now()))?;
        if !wait.is_zero() {
            SendFuture::new(Delay::from(wait)).await;
        }
        let begun = EdgeClock.now();
        let outcome = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            job.run(&mut memory)
        };
        // The clock stood still meanwhile; it moves on with an event.
        SendFuture::new(Delay::from(Duration::ZERO)).await;
        let took_ms = EdgeClock.now().millis_since(begun);
        self.turns(|turns| turns.timed(took_ms));
        Some(outcome)
    }
}

impl InlinePasswords {
    fn turns<T>(&self, use_them: impl FnOnce(&mut Turns) -> T) -> T {
        use_them(&mut self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the next job may run.
struct Turns {
    next: Timestamp,
    lasts_ms: i64,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            next: Timestamp(0),
            lasts_ms: FIRST_MS,
        }
    }
}

impl Turns {
    /// How long to wait for a turn; `None` when that is too long.
    fn take(&mut self, now: Timestamp) -> Option<Duration> {
        let mut wait_ms = self.next.millis_since(now).max(0);
        if wait_ms > MAX_WAIT_MS + LONGEST_MS + REST_MS {
            // None is given that late: the clock was set back.
            wait_ms = 0;
        }
        if wait_ms > MAX_WAIT_MS {
            return None;
        }
        self.next = Timestamp(now.0 + wait_ms + self.lasts_ms + REST_MS);
        Some(Duration::from_millis(wait_ms.unsigned_abs()))
    }

    fn timed(&mut self, took_ms: i64) {
        self.lasts_ms = took_ms.clamp(0, LONGEST_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn waits(turns: &mut Turns, now: Timestamp) -> Vec<u128> {
        let taken = std::iter::from_fn(|| turns.take(now));
        taken.take(1_000).map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn turns_follow_each_other_and_who_would_wait_too_long_is_sent_away() {
        let mut turns = Turns::default();
        let waits = waits(&mut turns, NOW);
        assert_eq!(waits[..3], [0, 75, 150]);
        assert_eq!(waits.last(), Some(&2_475));
        // A while later there is room for one more, and after all of them one is alone again.
        assert!(turns.take(Timestamp(NOW.0 + 75)).is_some());
        let later = turns.take(Timestamp(NOW.0 + 5_000));
        assert_eq!(later, Some(Duration::ZERO));
    }

    #[test]
    fn jobs_that_last_get_longer_turns() {
        let mut turns = Turns::default();
        turns.timed(10_000);
        assert_eq!(waits(&mut turns, NOW)[..2], [0, 515]);
    }

    #[test]
    fn a_clock_set_back_sends_nobody_away() {
        let mut turns = Turns::default();
        assert!(turns.take(NOW).is_some());
        assert_eq!(turns.take(Timestamp(5_000)), Some(Duration::ZERO));
    }
}
