//! The rate of what one connection sends: commands, sends and errors in a window of ten seconds.
//!
//! Every command counts, valid or not: one that is answered from memory costs a few bytes to send and
//! still has to be parsed and answered. A connection beyond a limit is closed with 4100, and the Room
//! ignores what else arrives from it without parsing it. The limits are many times what a correct
//! client needs. Not part of the snapshots: the window is short.

use crate::domain::Timestamp;
use crate::protocol::{Command, ParseError};

/// The window in milliseconds.
const WINDOW_MS: i64 = 10_000;

/// Rejected commands in a window.
const MAX_ERRORS: u32 = 100;

/// Commands in a window that are not sends, by their cost.
const MAX_COMMANDS: u32 = 500;

/// What a ping or a rejected command costs.
const PLAIN_COST: u32 = 1;

/// What a resume costs besides its bytes (`resume_budget`): it may read from the database.
const RESUME_COST: u32 = 5;

/// What a token costs: a signature is verified, at the edge by a call to the session's object.
const AUTH_COST: u32 = 10;

/// Sends in a window while the throttle admits one per period: the others are repeats.
const MAX_THROTTLED_SENDS: u32 = 2_000;

/// Sends in a window without a throttle, where commits set the pace.
const MAX_UNTHROTTLED_SENDS: u32 = 500_000;

/// The connection exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flooding;

/// The counts of one connection in the running window.
#[derive(Debug, Clone, Default)]
pub(super) struct FrameRate {
    since: Timestamp,
    errors: u32,
    commands: u32,
    sends: u32,
}

impl FrameRate {
    /// Counts a rejected command.
    pub(super) fn count_error(&mut self, now: Timestamp) -> Result<(), Flooding> {
        self.roll(now);
        add(&mut self.errors, 1, MAX_ERRORS)
    }

    /// Counts a command, or a frame without a valid one.
    pub(super) fn count(
        &mut self,
        command: &Result<Command, ParseError>,
        is_throttled: bool,
        now: Timestamp,
    ) -> Result<(), Flooding> {
        self.roll(now);
        let cost = match command {
            Ok(Command::Send(_)) => {
                let limit = if is_throttled {
                    MAX_THROTTLED_SENDS
                } else {
                    MAX_UNTHROTTLED_SENDS
                };
                return add(&mut self.sends, 1, limit);
            }
            Ok(Command::Resume { .. }) => RESUME_COST,
            Ok(Command::Auth { .. }) => AUTH_COST,
            Ok(Command::Ping) | Err(_) => PLAIN_COST,
        };
        add(&mut self.commands, cost, MAX_COMMANDS)
    }

    /// Starts a new window when the last one is over, or when the clock was set back.
    fn roll(&mut self, now: Timestamp) {
        if !(0..WINDOW_MS).contains(&now.millis_since(self.since)) {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
    }
}

fn add(counter: &mut u32, cost: u32, limit: u32) -> Result<(), Flooding> {
    *counter = counter.saturating_add(cost);
    if *counter > limit {
        return Err(Flooding);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_holds_in_each_window() {
        let mut rate = FrameRate::default();
        let auth = Ok(Command::Auth { token: "t".into() });
        let ping = Ok(Command::Ping);
        for window in 1..4 {
            let now = Timestamp(window * WINDOW_MS);
            for _ in 0..MAX_COMMANDS / AUTH_COST {
                assert_eq!(rate.count(&auth, true, now), Ok(()));
            }
            let late = Timestamp(now.0 + WINDOW_MS - 1);
            assert_eq!(rate.count(&ping, true, late), Err(Flooding));
            assert_eq!(rate.count_error(late), Ok(()), "counted apart");
        }
        let set_back = Timestamp(0);
        assert_eq!(rate.count(&ping, true, set_back), Ok(()));
    }
}
