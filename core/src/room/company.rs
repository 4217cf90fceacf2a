//! How long sends wait for company before they leave as one commit.
//!
//! What a commit and a write to each socket cost hardly depends on how many messages they carry.
//! Who has just been heard is likely to speak again, and everybody is heard at once: a Room that
//! committed the first answer that came would leave the others to the next commit, and so on, in
//! two camps. Knows who spoke and when; the sends themselves wait in [`super::sends`].

use crate::domain::{Timestamp, UserId};

/// Sends that need not wait for more.
const ENOUGH: usize = 32;

/// The least time worth waiting where clocks count whole milliseconds, and the most, however slow
/// the database is.
const LEAST_MS: i64 = 2;
const MOST_MS: i64 = 10;

/// Who spoke in the last two commits of a Room, and how long the last one took.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Ascending, each once: those of the last commit, and of the one before.
    spoke: [Vec<UserId>; 2],
    /// How many people that are.
    people: usize,
    left: Option<Timestamp>,
    /// When the last commit had its answer, and how long it is waited after that.
    answered: Option<(Timestamp, i64)>,
}

impl Company {
    /// A commit of these people's messages leaves.
    pub(super) fn leaves(&mut self, senders: impl Iterator<Item = UserId>, now: Timestamp) {
        self.spoke.swap(0, 1);
        let [last, before] = &mut self.spoke;
        last.clear();
        last.extend(senders);
        last.sort_unstable();
        last.dedup();
        let others = before
            .iter()
            .filter(|user| last.binary_search(user).is_err());
        self.people = last.len() + others.count();
        self.left = Some(now);
    }

    /// The commit has its answer, whatever it was.
    pub(super) fn is_answered(&mut self, now: Timestamp) {
        let left = self.left.take();
        self.answered = left.map(|left| (now, now.millis_since(left).clamp(LEAST_MS, MOST_MS)));
    }

    /// When so many sends may leave: now, if everybody who spoke lately has spoken, if there are
    /// enough of them, or if the last commit is as long ago as it took. So waiting at most doubles
    /// what a message waits for.
    pub(super) fn leave_at(&self, waiting: usize, now: Timestamp) -> Timestamp {
        match self.answered {
            // A clock that was set back makes nobody wait.
            Some((answered, patience))
                if waiting < self.people.min(ENOUGH)
                    && (0..patience).contains(&now.millis_since(answered)) =>
            {
                Timestamp(answered.0 + patience)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000);

    fn at(ms: i64) -> Timestamp {
        Timestamp(START.0 + ms)
    }

    /// A commit that leaves and is answered at these times.
    fn commit(company: &mut Company, users: &[i64], [left, answered]: [i64; 2]) {
        company.leaves(users.iter().copied().map(UserId), at(left));
        company.is_answered(at(answered));
    }

    #[test]
    fn the_first_send_waits_for_nobody() {
        assert_eq!(Company::default().leave_at(1, START), START);
    }

    #[test]
    fn those_who_spoke_are_waited_for_as_long_as_their_commit_took() {
        let mut company = Company::default();
        commit(&mut company, &[1, 2, 2, 3], [0, 4]);
        assert_eq!(company.leave_at(1, at(4)), at(8));
        assert_eq!(company.leave_at(2, at(7)), at(8));
        assert_eq!(company.leave_at(3, at(4)), at(4), "all are there");
        assert_eq!(company.leave_at(1, at(8)), at(8), "it has been long enough");
        assert_eq!(company.leave_at(1, at(3)), at(3), "the clock was set back");
    }

    #[test]
    fn two_camps_become_one() {
        let mut company = Company::default();
        commit(&mut company, &[1, 2], [0, 2]);
        commit(&mut company, &[3, 4], [2, 4]);
        assert_eq!(company.leave_at(3, at(4)), at(6));
        assert_eq!(company.leave_at(4, at(4)), at(4));
        // Who falls silent is forgotten.
        commit(&mut company, &[1, 2], [4, 6]);
        commit(&mut company, &[1, 2], [6, 8]);
        assert_eq!(company.leave_at(2, at(8)), at(8));
    }

    #[test]
    fn patience_has_bounds_and_enough_is_enough() {
        let mut company = Company::default();
        commit(&mut company, &[1, 2], [0, 0]);
        assert_eq!(company.leave_at(1, at(0)), at(LEAST_MS));
        commit(&mut company, &[1, 2], [0, 5_000]);
        assert_eq!(company.leave_at(1, at(5_000)), at(5_000 + MOST_MS));
        let crowd: Vec<i64> = (0..100).collect();
        commit(&mut company, &crowd, [0, 5]);
        assert_eq!(company.leave_at(ENOUGH - 1, at(5)), at(10));
        assert_eq!(company.leave_at(ENOUGH, at(5)), at(5));
    }
}
