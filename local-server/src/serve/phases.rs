//! The phases of an HTTP connection and the deadline of each.
//!
//! Sans-IO: the caller reports what happens and when, asks for the next deadline, and carries out the
//! [`Verdict`] when it passes. A connection thus needs one timer, which is not reset by reads or
//! writes. To add a phase: a variant of [`Phase`], the call that enters it, and its limit in
//! [`Phases::deadline`] and [`Phases::check`].

use std::time::Duration;

use tokio::time::Instant;

/// The lowest average rate of a client that reads a response more slowly than it is sent.
const MIN_READ_BYTES_PER_SECOND: u64 = 1_024;

/// The deadlines of a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionTimeouts {
    /// From the first byte of a request to the end of its headers.
    pub headers: Duration,
    /// From the end of the headers to the end of the body. With the maximum length of a body it sets
    /// the minimum rate.
    pub body: Duration,
    /// Between two pieces of a body.
    pub body_progress: Duration,
    /// From the end of the body to the response; longer than the timeouts of the database.
    pub handler: Duration,
    /// Without progress of a blocked write.
    pub write_stall: Duration,
    /// Instead of `write_stall` when responses fill their memory, and during a shutdown.
    pub write_stall_under_pressure: Duration,
    /// Between two requests, and before the first.
    pub keep_alive: Duration,
    /// Instead of `keep_alive` when connections are scarce, which is checked this often.
    pub keep_alive_under_pressure: Duration,
    /// For the response after a deadline, and for the rest of a request that has begun to arrive when
    /// the server shuts down.
    pub grace: Duration,
}

impl ConnectionTimeouts {
    /// The deadlines of a server, with this limit between two requests.
    pub const fn with_keep_alive(keep_alive: Duration) -> Self {
        Self {
            headers: Duration::from_secs(30),
            body: Duration::from_mins(1),
            body_progress: Duration::from_secs(20),
            handler: Duration::from_secs(30),
            write_stall: Duration::from_secs(20),
            write_stall_under_pressure: Duration::from_secs(2),
            keep_alive,
            keep_alive_under_pressure: Duration::from_secs(5),
            grace: Duration::from_secs(2),
        }
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its headers.
    Headers,
    /// The rest of its body.
    Body,
    /// The response.
    Handler,
    /// The response after a deadline.
    Rejected,
}

/// What has become scarce.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pressure {
    pub(super) connections: bool,
    pub(super) responses: bool,
}

/// What the connection has to do at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Wait for the next deadline.
    Wait,
    /// End the body with an error, which is answered with 408.
    EndBody,
    /// End the handler, which is answered with 503.
    EndHandler,
    /// Close; the text describes what took too long.
    Close(&'static str),
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Phases {
    timeouts: ConnectionTimeouts,
    phase: Phase,
    since: Instant,
    /// When the latest piece of a body arrived.
    progress_at: Instant,
    /// Since when the kernel has accepted no more bytes.
    blocked_since: Option<Instant>,
    slow_read: Option<SlowRead>,
    /// The next look at the pressure.
    next_check: Instant,
    /// The deadline of requests that are not complete, once the server shuts down.
    stop_by: Option<Instant>,
}

/// A response that has been blocked at least once.
#[derive(Debug)]
struct SlowRead {
    since: Instant,
    bytes: u64,
}

impl Phases {
    pub(super) fn new(timeouts: ConnectionTimeouts, now: Instant) -> Self {
        Self {
            timeouts,
            phase: Phase::Idle,
            since: now,
            progress_at: now,
            blocked_since: None,
            slow_read: None,
            next_check: now + timeouts.keep_alive_under_pressure,
            stop_by: None,
        }
    }

    /// Bytes have arrived.
    pub(super) fn received(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle => self.enter(Phase::Headers, now),
            Phase::Body => self.progress_at = now,
            _ => {}
        }
    }

    /// The headers are complete.
    pub(super) fn request_started(&mut self, has_body: bool, now: Instant) {
        self.slow_read = None;
        self.progress_at = now;
        let phase = if has_body {
            Phase::Body
        } else {
            Phase::Handler
        };
        self.enter(phase, now);
    }

    /// The body is complete, or not wanted any more.
    pub(super) fn body_finished(&mut self, now: Instant) {
        if self.phase == Phase::Body {
            self.enter(Phase::Handler, now);
        }
    }

    /// The response is ready to be written.
    pub(super) fn request_finished(&mut self, now: Instant) {
        self.enter(Phase::Idle, now);
        self.next_check = now + self.timeouts.keep_alive_under_pressure;
    }

    /// The kernel accepts no more bytes.
    pub(super) fn write_blocked(&mut self, now: Instant) {
        if self.blocked_since.is_none() {
            self.blocked_since = Some(now);
            self.next_check = now + self.timeouts.write_stall_under_pressure;
            self.slow_read.get_or_insert(SlowRead {
                since: now,
                bytes: 0,
            });
        }
    }

    /// The kernel has accepted bytes. Reads the clock only after a block.
    pub(super) fn written(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        if let Some(slow_read) = &mut self.slow_read {
            slow_read.bytes = slow_read.bytes.saturating_add(bytes as u64);
        }
        if self.blocked_since.take().is_some() && self.phase == Phase::Idle {
            self.request_finished(now());
        }
    }

    /// The server shuts down.
    pub(super) fn stop(&mut self, now: Instant) {
        self.stop_by = Some(now + self.timeouts.grace);
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
    }

    /// When to call [`Phases::check`]; in the future after each call.
    pub(super) fn deadline(&self) -> Instant {
        let at = self.phase_deadline();
        match (self.phase, self.blocked_since) {
            (Phase::Idle, Some(_)) => self.next_check,
            (Phase::Idle, None) | (_, Some(_)) => at.min(self.next_check),
            (_, None) => at,
        }
    }

    fn phase_deadline(&self) -> Instant {
        let timeouts = &self.timeouts;
        let before_stop = |at: Instant| self.stop_by.map_or(at, |stop_by| at.min(stop_by));
        match self.phase {
            Phase::Idle => self.since + timeouts.keep_alive,
            Phase::Headers => before_stop(self.since + timeouts.headers),
            Phase::Body => before_stop(
                (self.since + timeouts.body).min(self.progress_at + timeouts.body_progress),
            ),
            Phase::Handler => self.since + timeouts.handler,
            Phase::Rejected => self.since + timeouts.grace,
        }
    }

    /// What to do now that a deadline may have passed.
    pub(super) fn check(&mut self, pressure: Pressure, now: Instant) -> Verdict {
        if let Some(blocked_since) = self.blocked_since {
            if now >= self.write_deadline(blocked_since, pressure) {
                return Verdict::Close("reading the response");
            }
            self.next_check = now + self.timeouts.write_stall_under_pressure;
            if self.phase == Phase::Idle {
                return Verdict::Wait;
            }
        }
        if self.phase == Phase::Idle {
            return self.check_idle(pressure, now);
        }
        if now < self.phase_deadline() {
            return Verdict::Wait;
        }
        let verdict = match self.phase {
            Phase::Body => Verdict::EndBody,
            Phase::Handler => Verdict::EndHandler,
            Phase::Headers => return Verdict::Close("the headers of the request"),
            Phase::Idle | Phase::Rejected => return Verdict::Close("ending the request"),
        };
        self.enter(Phase::Rejected, now);
        verdict
    }

    fn check_idle(&mut self, pressure: Pressure, now: Instant) -> Verdict {
        let limit = if pressure.connections {
            let scarce = self.timeouts.keep_alive_under_pressure;
            self.timeouts.keep_alive.min(scarce)
        } else {
            self.timeouts.keep_alive
        };
        if now >= self.since + limit {
            return Verdict::Close("the next request");
        }
        self.next_check = now + self.timeouts.keep_alive_under_pressure;
        Verdict::Wait
    }

    /// The earlier of: no progress for too long, and progress below the minimum rate.
    fn write_deadline(&self, blocked_since: Instant, pressure: Pressure) -> Instant {
        let stall = if pressure.responses || self.stop_by.is_some() {
            self.timeouts.write_stall_under_pressure
        } else {
            self.timeouts.write_stall
        };
        let stalled = blocked_since + stall;
        self.slow_read.as_ref().map_or(stalled, |slow_read| {
            let due = Duration::from_secs(slow_read.bytes / MIN_READ_BYTES_PER_SECOND);
            stalled.min(slow_read.since + self.timeouts.write_stall + due)
        })
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
