//! The order of events on a socket: `seq` grows by exactly one, from `hello` on, until the answer to
//! a `resume`, or a `reset`, sets a new position (docs/protocol.md, rules 1 and 3).

/// How the order was violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeqViolation {
    /// An event at or before the position.
    Repeated { position: u64 },
    /// An event beyond the next one.
    Gap { position: u64 },
    /// A `sync` that does not match its `resume`.
    SyncMismatch(&'static str),
}

/// The position of a socket.
#[derive(Debug, Default)]
pub(crate) struct SeqOrder {
    position: Option<u64>,
    resume: Option<Resume>,
}

#[derive(Debug)]
struct Resume {
    since: u64,
    /// How many of its events have arrived; none before the first.
    events: Option<u64>,
}

impl SeqOrder {
    /// A new socket; a v2 socket starts at the `seq` of its `hello`.
    pub(crate) fn opened(&mut self, at: Option<u64>) {
        *self = Self {
            position: at,
            resume: None,
        };
    }

    /// A `resume` was sent.
    pub(crate) fn resume_sent(&mut self, since: u64) {
        self.resume = Some(Resume {
            since,
            events: None,
        });
    }

    /// An event arrived.
    pub(crate) fn event(&mut self, seq: u64) -> Option<SeqViolation> {
        if let Some(resume) = &mut self.resume {
            // The first event of the answer sets the position back. Live events may arrive before it,
            // even the one that the answer starts with.
            if seq == resume.since + 1 {
                resume.events = Some(1);
                self.position = Some(seq);
                return None;
            }
            if let Some(events) = &mut resume.events {
                *events += 1;
            }
        }
        let before = self.position.replace(seq)?;
        match seq.checked_sub(before) {
            Some(1) => None,
            None | Some(0) => Some(SeqViolation::Repeated { position: before }),
            Some(_) => Some(SeqViolation::Gap { position: before }),
        }
    }

    /// `sync` arrived.
    pub(crate) fn synced(&mut self, from: u64, to: u64) -> Option<SeqViolation> {
        let Some(resume) = self.resume.take() else {
            return Some(SeqViolation::SyncMismatch("no resume was sent"));
        };
        self.position = Some(to);
        if from != resume.since {
            return Some(SeqViolation::SyncMismatch(
                "starts elsewhere than requested",
            ));
        }
        if to.checked_sub(from) != Some(resume.events.unwrap_or_default()) {
            return Some(SeqViolation::SyncMismatch(
                "has more or fewer events than it states",
            ));
        }
        None
    }

    /// A `reset` sets a new position.
    pub(crate) fn reset(&mut self, to: u64) {
        self.opened(Some(to));
    }
}
