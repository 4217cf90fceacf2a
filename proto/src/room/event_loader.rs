//! When to read missed events from the database, and how many: at most one load in flight, a pause
//! after a failure, and the times at which to recheck for events of which the Room was not notified.

use super::resume::RESUME_PART_BYTES;
use crate::domain::{Seq, Timestamp};

/// The bounds of the events of one load.
const MIN_LIMIT: usize = 16;
const MAX_LIMIT: usize = 500;

/// The size of an event before any was loaded, in bytes.
const TYPICAL_EVENT_BYTES: usize = 640;

/// The pause after a failed load.
const RETRY_MS: i64 = 500;

/// When to recheck after a commit without a result: the database may still execute it for a while.
const RECHECK_AFTER_MS: [i64; 3] = [500, 2_000, 8_000];

#[derive(Debug)]
pub(super) struct EventLoader {
    /// The mean size of the events of the last load: a load reads about one part of a resume.
    event_bytes: usize,
    in_flight: Option<LoadInFlight>,
    /// After a failure: no load starts before this time.
    retry_at: Option<Timestamp>,
    /// The planned rechecks, ascending.
    recheck_at: Vec<Timestamp>,
    /// The time of the last input.
    last_input_at: Option<Timestamp>,
}

impl Default for EventLoader {
    fn default() -> Self {
        Self {
            event_bytes: TYPICAL_EVENT_BYTES,
            in_flight: None,
            retry_at: None,
            recheck_at: Vec::new(),
            last_input_at: None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct LoadInFlight {
    since: Seq,
    started_at: Timestamp,
}

impl EventLoader {
    /// The loader of a restored Room, with the rechecks from its snapshot.
    pub(super) fn restore(recheck_at: impl Iterator<Item = Timestamp>) -> Self {
        Self {
            recheck_at: recheck_at.collect(),
            ..Self::default()
        }
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn may_start(&self, now: Timestamp) -> bool {
        !self.is_in_flight() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// The maximum number of events of the next load.
    pub(super) fn limit(&self) -> i64 {
        let limit = RESUME_PART_BYTES / self.event_bytes + 1;
        i64::try_from(limit.clamp(MIN_LIMIT, MAX_LIMIT)).unwrap_or(i64::MAX)
    }

    /// Takes in the sizes of loaded events.
    pub(super) fn observe(&mut self, event_bytes: impl ExactSizeIterator<Item = usize>) {
        let count = event_bytes.len();
        if let Some(mean) = event_bytes.sum::<usize>().checked_div(count) {
            self.event_bytes = mean.max(1);
        }
    }

    pub(super) fn started(&mut self, since: Seq, now: Timestamp) {
        self.in_flight = Some(LoadInFlight {
            since,
            started_at: now,
        });
    }

    /// The load in flight has a result. Returns its starting point and removes the rechecks that
    /// were due when it started. A failed load has checked nothing and removes none.
    pub(super) fn finished(&mut self) -> Option<Seq> {
        self.retry_at = None;
        let load = self.in_flight.take()?;
        self.recheck_at.retain(|at| *at > load.started_at);
        Some(load.since)
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.in_flight = None;
        self.retry_at = Some(Timestamp(now.0 + RETRY_MS));
    }

    /// Plans the rechecks after a commit without a result.
    pub(super) fn schedule_rechecks(&mut self, now: Timestamp) {
        self.recheck_at = RECHECK_AFTER_MS
            .iter()
            .map(|after| Timestamp(now.0 + after))
            .collect();
    }

    /// Plans one recheck, now.
    pub(super) fn recheck_now(&mut self, now: Timestamp) {
        self.recheck_at.insert(0, now);
    }

    pub(super) fn is_recheck_due(&self, now: Timestamp) -> bool {
        self.recheck_at.first().is_some_and(|at| *at <= now)
    }

    pub(super) fn recheck_at(&self) -> &[Timestamp] {
        &self.recheck_at
    }

    /// When the Room needs a tick to load; at once if `load_wanted`, but not within the pause.
    pub(super) fn next_wakeup(&self, load_wanted: bool) -> Option<Timestamp> {
        if self.is_in_flight() {
            return None;
        }
        let due = if load_wanted {
            Some(Timestamp(0))
        } else {
            self.recheck_at.first().copied()
        };
        due.map(|at| self.retry_at.map_or(at, |retry_at| at.max(retry_at)))
    }

    /// Moves every planned time back when the clock was set back, so that no pause becomes longer.
    pub(super) fn observe_clock(&mut self, now: Timestamp) {
        let back_ms = match (self.last_input_at.replace(now), self.recheck_at.last()) {
            (Some(last_input_at), _) => last_input_at.millis_since(now),
            // After hibernation the last input is unknown, but no recheck was planned further
            // ahead than this.
            (None, Some(last)) => last.millis_since(now).saturating_sub(RECHECK_AFTER_MS[2]),
            (None, None) => 0,
        };
        if back_ms <= 0 {
            return;
        }
        let started_at = self.in_flight.iter_mut().map(|load| &mut load.started_at);
        let planned = self.recheck_at.iter_mut().chain(&mut self.retry_at);
        for at in planned.chain(started_at) {
            at.0 = at.0.saturating_sub(back_ms);
        }
    }
}
