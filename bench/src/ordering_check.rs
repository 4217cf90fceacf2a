//! Checks that one socket receives every message once and in order, at the cost of a comparison and a
//! multiplication per message.

use crate::wire::Mark;

/// The FNV prime; any multiplier that mixes well would do.
const PRIME: u64 = 0x0000_0100_0000_01B3;

/// The messages one socket has received.
#[derive(Debug, Default)]
pub(crate) struct OrderingCheck {
    /// The next expected ordinal of each sender.
    next: Vec<u32>,
    digest: u64,
    violation: Option<String>,
}

impl OrderingCheck {
    pub(crate) fn new(senders: usize) -> Self {
        Self {
            next: vec![0; senders],
            ..Self::default()
        }
    }

    /// Checks a message; returns whether it is the next of its sender. The first violation is kept.
    pub(crate) fn check(&mut self, mark: Mark) -> bool {
        let Mark {
            sender, ordinal, ..
        } = mark;
        let expected = usize::try_from(sender).ok();
        let expected = expected.and_then(|sender| self.next.get_mut(sender));
        match expected {
            Some(expected) if *expected == ordinal => *expected += 1,
            Some(expected) => {
                let what = if ordinal < *expected {
                    "duplicated or reordered"
                } else {
                    "lost or reordered"
                };
                self.violation.get_or_insert(format!(
                    "{what}: message {ordinal} of sender {sender} arrived, expected was {expected}"
                ));
                return false;
            }
            None => {
                self.violation
                    .get_or_insert(format!("a message of unknown sender {sender}"));
                return false;
            }
        }
        let word = u64::from(sender) << 32 | u64::from(ordinal);
        self.digest = (self.digest ^ word).wrapping_mul(PRIME).rotate_left(23);
        true
    }

    /// The first violation.
    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// How many messages of a sender have arrived.
    pub(crate) fn received(&self, sender: usize) -> u32 {
        self.next.get(sender).copied().unwrap_or(0)
    }

    /// A digest of the order; equal on all sockets that received the same messages in the same order.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(marks: &[(u32, u32)]) -> OrderingCheck {
        let mut check = OrderingCheck::new(2);
        for (sender, ordinal) in marks {
            check.check(Mark {
                sender: *sender,
                ordinal: *ordinal,
                intended_us: 0,
            });
        }
        check
    }

    #[test]
    fn loss_duplicates_and_reordering_are_reported() {
        assert_eq!(checked(&[(0, 0), (1, 0), (0, 1)]).violation(), None);
        for (marks, word) in [
            (&[(0, 0), (0, 2)][..], "lost"),
            (&[(0, 0), (0, 0)], "duplicated"),
            (&[(1, 1), (1, 0)], "reordered"),
            (&[(2, 0)], "unknown sender"),
        ] {
            let violation = checked(marks).violation().unwrap_or_default().to_owned();
            assert!(violation.contains(word), "{marks:?}: {violation}");
        }
    }

    #[test]
    fn digest_depends_on_the_order_of_two_senders() {
        let one = checked(&[(0, 0), (1, 0), (1, 1)]);
        let other = checked(&[(1, 0), (0, 0), (1, 1)]);
        assert_eq!((one.violation(), other.violation()), (None, None));
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.received(1), 2);
    }
}
