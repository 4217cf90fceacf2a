//! The rule every socket is held to: `seq` grows by exactly one, from the greeting on, until the
//! answer to a `resume`, or a `reset`, sets a new position (docs/protocol.md, rules 1 and 3).

/// Which part of the rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// An event at or before the position.
    Again { position: u64 },
    /// An event beyond the next one.
    Gap { position: u64 },
    /// A resume that was answered with another part than it was asked for.
    Answer(&'static str),
}

/// Where a socket stands.
#[derive(Debug, Default)]
pub(crate) struct Order {
    position: Option<u64>,
    resume: Option<Resume>,
}

#[derive(Debug)]
struct Resume {
    since: u64,
    /// How many of its events have come; none until the first.
    events: Option<u64>,
}

impl Order {
    /// A new socket, greeted at `at`; a v1 socket is not greeted.
    pub(crate) fn opened(&mut self, at: Option<u64>) {
        *self = Self {
            position: at,
            resume: None,
        };
    }

    /// A resume was sent.
    pub(crate) fn asked(&mut self, since: u64) {
        self.resume = Some(Resume {
            since,
            events: None,
        });
    }

    /// An event came.
    pub(crate) fn event(&mut self, seq: u64) -> Option<Break> {
        if let Some(resume) = &mut self.resume {
            // The answer's first event sets the position back. Live ones may come before it, also
            // the very one that it will begin with.
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
            None | Some(0) => Some(Break::Again { position: before }),
            Some(_) => Some(Break::Gap { position: before }),
        }
    }

    /// The resume is answered.
    pub(crate) fn synced(&mut self, from: u64, to: u64) -> Option<Break> {
        let Some(resume) = self.resume.take() else {
            return Some(Break::Answer("nobody asked"));
        };
        self.position = Some(to);
        if from != resume.since {
            return Some(Break::Answer("from elsewhere than asked"));
        }
        if to.checked_sub(from) != Some(resume.events.unwrap_or_default()) {
            return Some(Break::Answer("with more or fewer events than it says"));
        }
        None
    }

    /// The position is set anew.
    pub(crate) fn reset(&mut self, to: u64) {
        self.opened(Some(to));
    }
}
