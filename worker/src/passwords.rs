//! Password hashing on the isolate's only thread, scheduled between other work, with a bounded wait.
//!
//! A job reserves a time slot, not a queue entry: a cancelled request never runs again, and would
//! block its entry forever. The memory for hashing is allocated once per isolate and reused, because
//! wasm memory is never returned.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::{Clock as _, HashPriority, Passwords};
use colloquy_proto::domain::Timestamp;
use worker::Delay;
use worker::send::SendFuture;

use crate::clock::EdgeClock;

/// The longest wait in milliseconds. Later jobs are rejected with 503 and `Retry-After`.
const MAX_WAIT_MS: i64 = 2_500;

/// The longest wait of an unknown client: the slots after it are reserved for known ones.
const MAX_WAIT_UNKNOWN_MS: i64 = 1_900;

/// The time for other work between two jobs, in milliseconds.
const PAUSE_MS: i64 = 15;

/// The assumed duration of a job in milliseconds, before one has been measured.
const INITIAL_JOB_MS: i64 = 60;

/// The largest assumed duration of a job in milliseconds.
const MAX_JOB_MS: i64 = 500;

/// Runs one job at a time, each in its slot.
#[derive(Default)]
pub(crate) struct InlinePasswords {
    memory: Mutex<HashMemory>,
    schedule: Mutex<Schedule>,
}

#[async_trait]
impl Passwords for InlinePasswords {
    async fn run(&self, job: PasswordJob, priority: HashPriority) -> Option<PasswordOutcome> {
        let wait = self.with_schedule(|schedule| schedule.reserve(EdgeClock.now(), priority))?;
        if !wait.is_zero() {
            SendFuture::new(Delay::from(wait)).await;
        }
        let started = EdgeClock.now();
        let outcome = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            job.run(&mut memory)
        };
        // The runtime's clock advances only with I/O.
        SendFuture::new(Delay::from(Duration::ZERO)).await;
        let took_ms = EdgeClock.now().millis_since(started);
        self.with_schedule(|schedule| schedule.record_duration(took_ms));
        Some(outcome)
    }
}

impl InlinePasswords {
    fn with_schedule<T>(&self, action: impl FnOnce(&mut Schedule) -> T) -> T {
        action(&mut self.schedule.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the next job may run.
struct Schedule {
    next: Timestamp,
    job_ms: i64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            next: Timestamp(0),
            job_ms: INITIAL_JOB_MS,
        }
    }
}

impl Schedule {
    /// Reserves a slot and returns the wait for it; `None` if that is too long.
    fn reserve(&mut self, now: Timestamp, priority: HashPriority) -> Option<Duration> {
        let max_wait_ms = match priority {
            HashPriority::Known => MAX_WAIT_MS,
            HashPriority::Unknown => MAX_WAIT_UNKNOWN_MS,
        };
        let mut wait_ms = self.next.millis_since(now).max(0);
        if wait_ms > MAX_WAIT_MS + MAX_JOB_MS + PAUSE_MS {
            // No slot is that late, so the clock was set back.
            wait_ms = 0;
        }
        if wait_ms > max_wait_ms {
            return None;
        }
        self.next = Timestamp(now.0 + wait_ms + self.job_ms + PAUSE_MS);
        Some(Duration::from_millis(wait_ms.unsigned_abs()))
    }

    fn record_duration(&mut self, took_ms: i64) {
        self.job_ms = took_ms.clamp(0, MAX_JOB_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HashPriority::{Known, Unknown};

    const NOW: Timestamp = Timestamp(1_000_000);

    fn waits(schedule: &mut Schedule, now: Timestamp, priority: HashPriority) -> Vec<u128> {
        let reserved = std::iter::from_fn(|| schedule.reserve(now, priority));
        reserved.take(1_000).map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn slots_are_consecutive_and_long_waits_are_rejected() {
        let mut schedule = Schedule::default();
        let waits = waits(&mut schedule, NOW, Known);
        assert_eq!(waits[..3], [0, 75, 150]);
        assert_eq!(waits.last(), Some(&2_475));
        // One slot becomes free later, and after all of them a job runs at once.
        assert!(schedule.reserve(Timestamp(NOW.0 + 75), Known).is_some());
        let later = schedule.reserve(Timestamp(NOW.0 + 5_000), Known);
        assert_eq!(later, Some(Duration::ZERO));
    }

    #[test]
    fn slots_remain_for_known_clients_when_unknown_ones_are_rejected() {
        let mut schedule = Schedule::default();
        assert_eq!(waits(&mut schedule, NOW, Unknown).last(), Some(&1_875));
        assert_eq!(waits(&mut schedule, NOW, Known).len(), 8);
    }

    #[test]
    fn long_jobs_get_longer_slots() {
        let mut schedule = Schedule::default();
        schedule.record_duration(10_000);
        assert_eq!(waits(&mut schedule, NOW, Known)[..2], [0, 515]);
    }

    #[test]
    fn clock_set_back_rejects_no_job() {
        let mut schedule = Schedule::default();
        assert!(schedule.reserve(NOW, Known).is_some());
        let earlier = schedule.reserve(Timestamp(5_000), Known);
        assert_eq!(earlier, Some(Duration::ZERO));
    }
}
