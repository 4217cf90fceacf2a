//! Whether one socket received everything once and in order, at the price of a comparison and a
//! multiplication a message.

use crate::wire::Mark;

/// FNV's prime; only that it mixes matters.
const PRIME: u64 = 0x0000_0100_0000_01B3;

/// What one socket has received.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The next ordinal of each sender.
    next: Vec<u32>,
    digest: u64,
    wrong: Option<String>,
}

impl Order {
    pub(crate) fn new(senders: usize) -> Self {
        Self {
            next: vec![0; senders],
            ..Self::default()
        }
    }

    /// Takes a message; answers whether it is the next of its sender. The first that is not is
    /// kept as what went wrong.
    pub(crate) fn take(&mut self, mark: Mark) -> bool {
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
                self.wrong.get_or_insert(format!(
                    "{what}: message {ordinal} of sender {sender} came where {expected} was due"
                ));
                return false;
            }
            None => {
                self.wrong
                    .get_or_insert(format!("a message of sender {sender}, who is none"));
                return false;
            }
        }
        let word = u64::from(sender) << 32 | u64::from(ordinal);
        self.digest = (self.digest ^ word).wrapping_mul(PRIME).rotate_left(23);
        true
    }

    /// What went wrong first.
    pub(crate) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// How many messages of a sender have come.
    pub(crate) fn received(&self, sender: usize) -> u32 {
        self.next.get(sender).copied().unwrap_or(0)
    }

    /// The same for all who received the same messages in the same order.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(marks: &[(u32, u32)]) -> Order {
        let mut order = Order::new(2);
        for (sender, ordinal) in marks {
            order.take(Mark {
                sender: *sender,
                ordinal: *ordinal,
                intended_us: 0,
            });
        }
        order
    }

    #[test]
    fn loss_duplicates_and_disorder_are_told() {
        assert_eq!(order(&[(0, 0), (1, 0), (0, 1)]).wrong(), None);
        for (marks, word) in [
            (&[(0, 0), (0, 2)][..], "lost"),
            (&[(0, 0), (0, 0)], "duplicated"),
            (&[(1, 1), (1, 0)], "reordered"),
            (&[(2, 0)], "who is none"),
        ] {
            let told = order(marks).wrong().unwrap_or_default().to_owned();
            assert!(told.contains(word), "{marks:?}: {told}");
        }
    }

    #[test]
    fn members_who_saw_two_senders_in_another_order_differ() {
        let one = order(&[(0, 0), (1, 0), (1, 1)]);
        let other = order(&[(1, 0), (0, 0), (1, 1)]);
        assert_eq!((one.wrong(), other.wrong()), (None, None));
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.received(1), 2);
    }
}
