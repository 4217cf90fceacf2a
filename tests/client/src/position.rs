//! How far a client has received a conversation's events: the gap check and the resume. Sans-IO.
//!
//! INVARIANT: every event up to `seq` has been applied once, and none after it.

/// What to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next in line: apply it.
    Apply,
    /// Applied before, as after a resume: ignore it.
    Duplicate,
    /// Events are missing before it: ignore it and send `resume`, unless one is in flight.
    Gap,
}

/// A client's position in one conversation.
#[derive(Clone, Debug, Default)]
pub struct Position {
    seq: Option<u64>,
    epoch: Option<String>,
    resuming: bool,
    highest_seen: u64,
}

impl Position {
    /// A client that has everything up to `since` of the history `epoch`.
    pub fn after(since: u64, epoch: Option<String>) -> Self {
        Self {
            seq: Some(since),
            epoch,
            ..Self::default()
        }
    }

    /// The newest applied event; none before the first `hello`.
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// The history `seq` counts in.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// Whether a `resume` is in flight.
    pub fn is_resuming(&self) -> bool {
        self.resuming
    }

    /// A new socket received `hello`. Returns whether it must send `resume`: not at the first
    /// `hello`, which sets the position, and not when nothing was missed.
    pub fn greeted(&mut self, head: u64, epoch: &str) -> bool {
        self.resuming = false;
        self.highest_seen = head;
        match (self.seq, &self.epoch) {
            (None, _) => {
                self.seq = Some(head);
                self.epoch = Some(epoch.to_owned());
                false
            }
            (Some(seq), None) => {
                self.epoch = Some(epoch.to_owned());
                seq != head
            }
            (Some(seq), Some(own)) => seq != head || own != epoch,
        }
    }

    /// A `resume` was sent. Returns its `since`.
    pub fn resume_sent(&mut self) -> u64 {
        self.resuming = true;
        self.seq.unwrap_or_default()
    }

    /// An event arrived.
    pub fn arrived(&mut self, seq: u64) -> Arrival {
        self.highest_seen = self.highest_seen.max(seq);
        let have = self.seq.unwrap_or_default();
        if seq <= have {
            return Arrival::Duplicate;
        }
        if seq > have + 1 {
            return Arrival::Gap;
        }
        self.seq = Some(seq);
        Arrival::Apply
    }

    /// `sync` arrived. Returns whether events are missing still, so that another `resume` is due.
    pub fn synced(&mut self) -> bool {
        self.resuming = false;
        self.seq.unwrap_or_default() < self.highest_seen
    }

    /// `reset` arrived and the history is loaded: continue after `seq`.
    pub fn reset(&mut self, seq: u64, epoch: &str) {
        *self = Self::after(seq, Some(epoch.to_owned()));
        self.highest_seen = seq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_client_starts_at_the_head() {
        let mut position = Position::default();
        assert!(!position.greeted(7, "e"));
        assert_eq!(position.arrived(8), Arrival::Apply);
        assert_eq!(position.arrived(8), Arrival::Duplicate);
        assert_eq!(position.arrived(10), Arrival::Gap);
        assert_eq!(position.seq(), Some(8));
    }

    #[test]
    fn reconnect_resumes_only_when_events_were_missed() {
        let mut position = Position::after(7, Some("e".to_owned()));
        assert!(!position.greeted(7, "e"));
        assert!(position.greeted(9, "e"));
        assert!(position.greeted(7, "another"));
        assert!(Position::after(0, None).greeted(3, "e"));
    }

    #[test]
    fn live_event_during_a_resume_is_not_lost() {
        let mut position = Position::after(3, Some("e".to_owned()));
        assert!(position.greeted(5, "e"));
        assert_eq!(position.resume_sent(), 3);
        // A live event overtakes the answer to the resume.
        assert_eq!(position.arrived(6), Arrival::Gap);
        for seq in 4..=5 {
            assert_eq!(position.arrived(seq), Arrival::Apply);
        }
        assert!(position.synced(), "event 6 is missing still");
        assert_eq!(position.resume_sent(), 5);
        assert_eq!(position.arrived(6), Arrival::Apply);
        assert!(!position.synced());
    }

    #[test]
    fn reset_continues_after_its_position() {
        let mut position = Position::after(3, Some("e".to_owned()));
        position.resume_sent();
        position.reset(900, "f");
        assert!(!position.is_resuming());
        assert_eq!(position.epoch(), Some("f"));
        assert_eq!(position.arrived(901), Arrival::Apply);
    }
}
