//! Work done for many at once: while some of it is under way, those who ask meanwhile wait
//! together, and the next run is for all of them.
//!
//! A commit, a small read, a question to the cache cost both sides less in themselves than the
//! exchange around them does. So under load one exchange serves many, and as long as there is no
//! load nobody waits for company. What the work is, how it is told apart who asked what, and what
//! an error means belong to the [`Work`].
//!
//! INVARIANT: whoever asks is answered by a run that began after it asked, so an answer is never
//! older than its question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Something that can be done for many at once.
pub(crate) trait Work: Send + Sync + 'static {
    /// What one asks for.
    type Ask: Send;
    /// What it is answered.
    type Answer: Send;

    /// Does all that is asked, and answers in the same order.
    fn run(&self, asked: Vec<Self::Ask>) -> impl Future<Output = Vec<Self::Answer>> + Send;

    /// What one counts for in a run.
    fn weight(_ask: &Self::Ask) -> usize {
        1
    }
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most runs under way.
    pub(crate) under_way: usize,
    /// The weight that is worth a run beside one that is under way; less waits for its end.
    pub(crate) enough: usize,
    /// The weight after which a run takes nobody else along.
    pub(crate) most: usize,
}

/// Gathers what is asked of one [`Work`]. Clones share it.
///
/// Its queue needs no bound of its own: everyone in it waits, so it holds no more than there are
/// Rooms and requests.
pub(crate) struct Gather<W: Work>(Arc<Shared<W>>);

struct Shared<W: Work> {
    work: W,
    limits: Limits,
    state: Mutex<State<W>>,
}

struct State<W: Work> {
    under_way: usize,
    waiting: VecDeque<Asked<W>>,
    /// Of those waiting.
    weight: usize,
}

type Asked<W> = (<W as Work>::Ask, oneshot::Sender<<W as Work>::Answer>);

impl<W: Work> Gather<W> {
    /// Nothing is under way yet.
    pub(crate) fn new(work: W, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            work,
            limits,
            state: Mutex::new(State {
                under_way: 0,
                waiting: VecDeque::new(),
                weight: 0,
            }),
        }))
    }

    /// Asks, and waits for the answer; `None` when its run came to no end. An asker that goes
    /// away disturbs nobody: what it asked for is done all the same.
    pub(crate) async fn ask(&self, ask: W::Ask) -> Option<W::Answer> {
        let (sender, answer) = oneshot::channel();
        let begins = {
            let mut state = self.lock();
            state.weight += W::weight(&ask);
            state.waiting.push_back((ask, sender));
            let begins = state.under_way < self.0.limits.under_way
                && state.is_worth_a_run(state.under_way, self.0.limits);
            state.under_way += usize::from(begins);
            begins
        };
        if begins {
            tokio::spawn(Turn(self.clone()).serve());
        }
        answer.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Each change is one step, so a panic elsewhere leaves nothing half done.
        let state = &self.0.state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> Clone for Gather<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The right to one run after the other.
struct Turn<W: Work>(Gather<W>);

impl<W: Work> Turn<W> {
    async fn serve(self) {
        while let Some(next) = self.next() {
            let (asked, answers): (Vec<_>, Vec<_>) = next.into_iter().unzip();
            let found = self.0.0.work.run(asked).await;
            for (answer, found) in answers.into_iter().zip(found) {
                // Who went away needs no answer.
                drop(answer.send(found));
            }
        }
    }

    /// Whom the next run is for.
    fn next(&self) -> Option<Vec<Asked<W>>> {
        let limits = self.0.0.limits;
        let mut state = self.0.lock();
        if !state.is_worth_a_run(state.under_way - 1, limits) {
            return None;
        }
        let (mut weight, mut count) = (0, 0);
        for (ask, _) in &state.waiting {
            if weight >= limits.most {
                break;
            }
            weight += W::weight(ask);
            count += 1;
        }
        state.weight -= weight;
        Some(state.waiting.drain(..count).collect())
    }
}

impl<W: Work> State<W> {
    /// Whether those who wait are to be served beside so many other runs.
    fn is_worth_a_run(&self, others: usize, limits: Limits) -> bool {
        match others {
            0 => !self.waiting.is_empty(),
            _ => self.weight >= limits.enough,
        }
    }
}

impl<W: Work> Drop for Turn<W> {
    fn drop(&mut self) {
        let limits = self.0.0.limits;
        let mut state = self.0.lock();
        // Somebody may have come since the last look; and a run that failed by a fault of ours
        // must not leave the others waiting. Without a runtime the process is ending.
        match Handle::try_current() {
            Ok(runtime) if state.is_worth_a_run(state.under_way - 1, limits) => {
                drop(runtime.spawn(Self(self.0.clone()).serve()));
            }
            _ => state.under_way -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    use super::*;

    /// Answers with the number of its run; waits for a permit in each, and fails when told to.
    struct Counting {
        runs: AtomicUsize,
        permits: Semaphore,
    }

    const FAULT: usize = 13;
    const WEIGHTLESS: usize = 14;

    impl Work for Arc<Counting> {
        type Ask = usize;
        type Answer = (usize, usize);

        fn weight(ask: &usize) -> usize {
            usize::from(*ask != WEIGHTLESS)
        }

        async fn run(&self, asked: Vec<usize>) -> Vec<(usize, usize)> {
            let run = self.runs.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            assert!(!asked.contains(&FAULT), "made up");
            asked.into_iter().map(|ask| (run, ask)).collect()
        }
    }

    fn gather([under_way, enough, most]: [usize; 3]) -> (Arc<Counting>, Gather<Arc<Counting>>) {
        let work = Arc::new(Counting {
            runs: AtomicUsize::new(0),
            permits: Semaphore::new(0),
        });
        let limits = Limits {
            under_way,
            enough,
            most,
        };
        (Arc::clone(&work), Gather::new(work, limits))
    }

    #[tokio::test]
    async fn who_comes_while_it_runs_shares_the_next_run() {
        let (work, gather) = gather([1, 1, 3]);
        let asks = (1..=5).map(|ask| gather.ask(ask));
        let first = tokio::spawn({
            let gather = gather.clone();
            async move { gather.ask(0).await }
        });
        while work.runs.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        work.permits.add_permits(3);
        let answers = join_all(asks).await;
        assert_eq!(first.await.unwrap(), Some((0, 0)));
        let expected = [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5)];
        assert_eq!(answers, expected.map(Some));
    }

    #[tokio::test]
    async fn a_second_run_begins_when_it_is_worth_one() {
        let (work, gather) = gather([2, 2, 9]);
        let begun = async |runs| {
            while work.runs.load(Ordering::SeqCst) < runs {
                tokio::task::yield_now().await;
            }
        };
        let ask = |ask| {
            let gather = gather.clone();
            tokio::spawn(async move { gather.ask(ask).await.unwrap() })
        };
        let first = ask(0);
        begun(1).await;
        // Not worth one: it waits until somebody comes along.
        let second = ask(1);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.runs.load(Ordering::SeqCst), 1);
        let third = ask(2);
        begun(2).await;
        work.permits.add_permits(2);
        let answers = join_all([first, second, third]).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [(0, 0), (1, 1), (1, 2)]);
    }

    #[tokio::test]
    async fn a_run_that_fails_leaves_nobody_else_behind() {
        let (work, gather) = gather([1, 1, 1]);
        work.permits.add_permits(3);
        let (failed, next) = tokio::join!(gather.ask(FAULT), gather.ask(1));
        assert_eq!((failed, next), (None, Some((1, 1))));
        assert_eq!(gather.ask(2).await, Some((2, 2)));
    }

    #[tokio::test]
    async fn what_weighs_nothing_is_served_too() {
        let (work, gather) = gather([1, 1, 1]);
        work.permits.add_permits(1);
        let answer = timeout(Duration::from_secs(10), gather.ask(WEIGHTLESS)).await;
        assert_eq!(answer, Ok(Some((0, WEIGHTLESS))));
    }

    #[tokio::test]
    async fn an_asker_that_leaves_takes_no_turn_along() {
        let (work, gather) = gather([1, 1, 1]);
        drop(tokio::time::timeout(std::time::Duration::ZERO, gather.ask(0)).await);
        work.permits.add_permits(2);
        assert_eq!(gather.ask(1).await, Some((1, 1)));
    }
}
