//! Request coalescing: while a batch is in flight, further requests wait and form the next batch.
//!
//! Saves round trips. For a commit, a small read or a cache request, the exchange costs more than
//! the work itself: fifteen profiles in one PostgreSQL statement take 173 µs, a single one 111 µs
//! (docs/decisions/0008-coalesced-lookups-and-pipelines.md). Without load nothing waits. What a
//! batch does, how results are matched to requests and what an error means belong to the
//! [`BatchRunner`]. Correctness does not depend on coalescing: a batch of one is always allowed.
//!
//! INVARIANT: a request is answered by a batch that started after the request was made, so no
//! result is older than its request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Runs a batch of requests.
pub(crate) trait BatchRunner: Send + Sync + 'static {
    /// One caller's request.
    type Request: Send;
    /// The result of one request.
    type Response: Send;

    /// Runs all requests and returns their results in the same order.
    fn run(&self, requests: Vec<Self::Request>)
    -> impl Future<Output = Vec<Self::Response>> + Send;

    /// How much one request counts towards the [`Limits`].
    fn weight(_request: &Self::Request) -> usize {
        1
    }
}

/// How much runs at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most batches in flight.
    pub(crate) max_in_flight: usize,
    /// The waiting weight that starts a batch in parallel to others; less waits for one to finish.
    pub(crate) start_extra_at: usize,
    /// The weight at which a batch is full.
    pub(crate) max_batch: usize,
}

/// Coalesces the requests for one [`BatchRunner`]. Clones share the queue.
///
/// The queue needs no bound of its own: every caller in it waits, so it holds at most one request
/// per room, connection or HTTP request.
pub(crate) struct Coalescer<R: BatchRunner>(Arc<Inner<R>>);

struct Inner<R: BatchRunner> {
    runner: R,
    limits: Limits,
    state: Mutex<CoalescerState<R>>,
}

struct CoalescerState<R: BatchRunner> {
    in_flight: usize,
    waiting: VecDeque<PendingCall<R>>,
    /// The total weight of the waiting requests.
    waiting_weight: usize,
}

type PendingCall<R> = (
    <R as BatchRunner>::Request,
    oneshot::Sender<<R as BatchRunner>::Response>,
);

impl<R: BatchRunner> Coalescer<R> {
    /// A coalescer without requests.
    pub(crate) fn new(runner: R, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            runner,
            limits,
            state: Mutex::new(CoalescerState {
                in_flight: 0,
                waiting: VecDeque::new(),
                waiting_weight: 0,
            }),
        }))
    }

    /// Runs the request in a batch and returns its result; `None` if the batch panicked. The
    /// request runs even if the caller is cancelled.
    pub(crate) async fn call(&self, request: R::Request) -> Option<R::Response> {
        let (sender, response) = oneshot::channel();
        let start_slot = {
            let mut state = self.lock();
            state.waiting_weight += R::weight(&request);
            state.waiting.push_back((request, sender));
            let start_slot = state.in_flight < self.0.limits.max_in_flight
                && state.should_run(state.in_flight, self.0.limits);
            state.in_flight += usize::from(start_slot);
            start_slot
        };
        if start_slot {
            tokio::spawn(Slot(self.clone()).serve());
        }
        response.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, CoalescerState<R>> {
        // Every change is complete before the lock is released, so a poisoned state is consistent.
        let state = &self.0.state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: BatchRunner> Clone for Coalescer<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One of the [`Limits::max_in_flight`] slots: runs one batch after the other.
struct Slot<R: BatchRunner>(Coalescer<R>);

impl<R: BatchRunner> Slot<R> {
    async fn serve(self) {
        while let Some(batch) = self.next_batch() {
            let (requests, senders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let responses = self.0.0.runner.run(requests).await;
            for (sender, response) in senders.into_iter().zip(responses) {
                // A cancelled caller receives nothing.
                drop(sender.send(response));
            }
        }
    }

    /// The next batch; `None` when too little is waiting.
    fn next_batch(&self) -> Option<Vec<PendingCall<R>>> {
        let limits = self.0.0.limits;
        let mut state = self.0.lock();
        if !state.should_run(state.in_flight - 1, limits) {
            return None;
        }
        let (mut weight, mut count) = (0, 0);
        for (request, _) in &state.waiting {
            if weight >= limits.max_batch {
                break;
            }
            weight += R::weight(request);
            count += 1;
        }
        state.waiting_weight -= weight;
        Some(state.waiting.drain(..count).collect())
    }
}

impl<R: BatchRunner> CoalescerState<R> {
    /// Whether the waiting requests justify a batch in parallel to `others`.
    fn should_run(&self, others: usize, limits: Limits) -> bool {
        match others {
            0 => !self.waiting.is_empty(),
            _ => self.waiting_weight >= limits.start_extra_at,
        }
    }
}

impl<R: BatchRunner> Drop for Slot<R> {
    fn drop(&mut self) {
        let limits = self.0.0.limits;
        let mut state = self.0.lock();
        // A request may have arrived since the last check, and a batch that panicked must not
        // leave the others waiting. Without a runtime the process is ending.
        match Handle::try_current() {
            Ok(runtime) if state.should_run(state.in_flight - 1, limits) => {
                drop(runtime.spawn(Self(self.0.clone()).serve()));
            }
            _ => state.in_flight -= 1,
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

    /// Returns the number of the batch with each request. Every batch waits for a permit, and
    /// panics if it contains [`PANICS`].
    struct CountingRunner {
        batches: AtomicUsize,
        permits: Semaphore,
    }

    const PANICS: usize = 13;
    const WEIGHTLESS: usize = 14;

    impl BatchRunner for Arc<CountingRunner> {
        type Request = usize;
        type Response = (usize, usize);

        fn weight(request: &usize) -> usize {
            usize::from(*request != WEIGHTLESS)
        }

        async fn run(&self, requests: Vec<usize>) -> Vec<(usize, usize)> {
            let batch = self.batches.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            assert!(!requests.contains(&PANICS), "injected");
            requests
                .into_iter()
                .map(|request| (batch, request))
                .collect()
        }
    }

    fn coalescer(
        [max_in_flight, start_extra_at, max_batch]: [usize; 3],
    ) -> (Arc<CountingRunner>, Coalescer<Arc<CountingRunner>>) {
        let runner = Arc::new(CountingRunner {
            batches: AtomicUsize::new(0),
            permits: Semaphore::new(0),
        });
        let limits = Limits {
            max_in_flight,
            start_extra_at,
            max_batch,
        };
        (Arc::clone(&runner), Coalescer::new(runner, limits))
    }

    #[tokio::test]
    async fn requests_during_a_batch_share_the_next_one() {
        let (runner, coalescer) = coalescer([1, 1, 3]);
        let calls = (1..=5).map(|request| coalescer.call(request));
        let first = tokio::spawn({
            let coalescer = coalescer.clone();
            async move { coalescer.call(0).await }
        });
        while runner.batches.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        runner.permits.add_permits(3);
        let responses = join_all(calls).await;
        assert_eq!(first.await.unwrap(), Some((0, 0)));
        let expected = [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5)];
        assert_eq!(responses, expected.map(Some));
    }

    #[tokio::test]
    async fn extra_batch_starts_at_the_threshold() {
        let (runner, coalescer) = coalescer([2, 2, 9]);
        let started = async |batches| {
            while runner.batches.load(Ordering::SeqCst) < batches {
                tokio::task::yield_now().await;
            }
        };
        let call = |request| {
            let coalescer = coalescer.clone();
            tokio::spawn(async move { coalescer.call(request).await.unwrap() })
        };
        let first = call(0);
        started(1).await;
        // Below the threshold: waits for another request.
        let second = call(1);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(runner.batches.load(Ordering::SeqCst), 1);
        let third = call(2);
        started(2).await;
        runner.permits.add_permits(2);
        let responses = join_all([first, second, third]).await;
        let responses: Vec<_> = responses.into_iter().map(Result::unwrap).collect();
        assert_eq!(responses, [(0, 0), (1, 1), (1, 2)]);
    }

    #[tokio::test]
    async fn panicking_batch_does_not_block_later_requests() {
        let (runner, coalescer) = coalescer([1, 1, 1]);
        runner.permits.add_permits(3);
        let (failed, next) = tokio::join!(coalescer.call(PANICS), coalescer.call(1));
        assert_eq!((failed, next), (None, Some((1, 1))));
        assert_eq!(coalescer.call(2).await, Some((2, 2)));
    }

    #[tokio::test]
    async fn weightless_request_is_served() {
        let (runner, coalescer) = coalescer([1, 1, 1]);
        runner.permits.add_permits(1);
        let response = timeout(Duration::from_secs(10), coalescer.call(WEIGHTLESS)).await;
        assert_eq!(response, Ok(Some((0, WEIGHTLESS))));
    }

    #[tokio::test]
    async fn cancelled_caller_does_not_block_later_requests() {
        let (runner, coalescer) = coalescer([1, 1, 1]);
        drop(tokio::time::timeout(std::time::Duration::ZERO, coalescer.call(0)).await);
        runner.permits.add_permits(2);
        assert_eq!(coalescer.call(1).await, Some((1, 1)));
    }
}
