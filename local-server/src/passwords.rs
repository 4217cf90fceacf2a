//! Password hashing on blocking threads, with a bound on running and waiting jobs.
//!
//! Jobs of known clients wait in a queue of their own, which is served in turn with the other one:
//! however many unknown clients log in or register, half of the capacity is left for people who logged
//! in before.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::{HashPriority, Passwords};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Waiting jobs of each priority per running one: about a second of work. Further jobs are rejected
/// with 503 and `Retry-After`.
const MAX_WAITING_PER_THREAD: usize = 32;

/// A pool of threads for password jobs. A thread starts with one job and then takes waiting jobs
/// until none is left. That saves a thread wake-up between hashes, and reuses the memory of a hash:
/// mapping new memory takes the kernel nearly as long as hashing.
pub struct BlockingPasswords {
    queue: Arc<Mutex<JobQueue>>,
}

struct JobQueue {
    /// Threads that may still be started.
    idle: usize,
    known: VecDeque<WaitingJob>,
    unknown: VecDeque<WaitingJob>,
    /// The priority served last.
    last: HashPriority,
    /// The most waiting jobs of each priority.
    max_waiting: usize,
}

struct WaitingJob {
    job: PasswordJob,
    sender: oneshot::Sender<PasswordOutcome>,
}

impl BlockingPasswords {
    /// A pool that runs `concurrency` jobs at once; 0 for one per core.
    pub fn new(concurrency: usize) -> Self {
        let cores = || available_parallelism().map_or(1, usize::from);
        let running = if concurrency == 0 {
            cores()
        } else {
            concurrency
        };
        Self {
            queue: Arc::new(Mutex::new(JobQueue {
                idle: running,
                known: VecDeque::new(),
                unknown: VecDeque::new(),
                last: HashPriority::Unknown,
                max_waiting: running * MAX_WAITING_PER_THREAD,
            })),
        }
    }
}

#[async_trait]
impl Passwords for BlockingPasswords {
    async fn run(&self, job: PasswordJob, priority: HashPriority) -> Option<PasswordOutcome> {
        let (sender, outcome) = oneshot::channel();
        // A statement of its own: the lock is released before a thread is started.
        let admitted = lock(&self.queue).admit(WaitingJob { job, sender }, priority);
        match admitted {
            QueueResult::Start(first) => {
                let queue = Arc::clone(&self.queue);
                spawn_blocking(move || run_jobs(first, &queue));
            }
            QueueResult::Queued => {}
            QueueResult::Rejected => return None,
        }
        Some(outcome.await.unwrap_or(PasswordOutcome::Failed))
    }
}

/// What happens to a new job.
enum QueueResult {
    /// A thread is free.
    Start(WaitingJob),
    Queued,
    Rejected,
}

impl JobQueue {
    fn admit(&mut self, job: WaitingJob, priority: HashPriority) -> QueueResult {
        if self.idle > 0 {
            self.idle -= 1;
            return QueueResult::Start(job);
        }
        let max_waiting = self.max_waiting;
        let waiting = self.queue(priority);
        if waiting.len() >= max_waiting {
            waiting.retain(|waiting| !waiting.sender.is_closed());
        }
        if waiting.len() >= max_waiting {
            return QueueResult::Rejected;
        }
        waiting.push_back(job);
        QueueResult::Queued
    }

    /// The next job of a thread, which becomes idle without one. Priorities take turns.
    fn next(&mut self) -> Option<WaitingJob> {
        let turns = match self.last {
            HashPriority::Known => [HashPriority::Unknown, HashPriority::Known],
            HashPriority::Unknown => [HashPriority::Known, HashPriority::Unknown],
        };
        for priority in turns {
            if let Some(next) = self.next_of(priority) {
                self.last = priority;
                return Some(next);
            }
        }
        self.idle += 1;
        None
    }

    /// The next job of a priority that was not cancelled.
    fn next_of(&mut self, priority: HashPriority) -> Option<WaitingJob> {
        let waiting = self.queue(priority);
        loop {
            let next = waiting.pop_front()?;
            if !next.sender.is_closed() {
                return Some(next);
            }
        }
    }

    const fn queue(&mut self, priority: HashPriority) -> &mut VecDeque<WaitingJob> {
        match priority {
            HashPriority::Known => &mut self.known,
            HashPriority::Unknown => &mut self.unknown,
        }
    }
}

/// Runs a job and then the waiting ones.
fn run_jobs(first: WaitingJob, queue: &Mutex<JobQueue>) {
    let mut memory = memory();
    let mut next = Some(first);
    while let Some(WaitingJob { job, sender }) = next {
        // A panic must not end the thread.
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut memory)));
        // The caller may have been cancelled.
        let _ = sender.send(outcome.unwrap_or(PasswordOutcome::Failed));
        next = lock(queue).next();
    }
}

fn lock(queue: &Mutex<JobQueue>) -> std::sync::MutexGuard<'_, JobQueue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory of a thread's jobs. glibc keeps freed blocks of up to 32 MiB and seldom reuses them
/// for blocks of this alignment, so the process would grow by hundreds of megabytes. A larger block
/// is mapped separately and returned when the queue is empty; untouched pages cost nothing.
pub(crate) fn memory() -> HashMemory {
    HashMemory::with_capacity(HashMemory::BYTES.max(33 * 1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use HashPriority::{Known, Unknown};
    use colloquy_core::auth::Password;
    use futures_util::future::join_all;

    fn job() -> PasswordJob {
        PasswordJob::Hash {
            password: Password::new("s3cretPassw0rd".to_owned()),
            salt: [7; 16],
        }
    }

    /// A job with the receiver of its result.
    fn waiting_job() -> (WaitingJob, oneshot::Receiver<PasswordOutcome>) {
        let (sender, outcome) = oneshot::channel();
        (WaitingJob { job: job(), sender }, outcome)
    }

    #[tokio::test]
    async fn more_jobs_than_threads_all_complete() {
        let passwords = BlockingPasswords::new(2);
        let outcomes = join_all((0..7).map(|_| passwords.run(job(), Unknown))).await;
        for outcome in outcomes {
            assert!(matches!(outcome, Some(PasswordOutcome::Hashed(_))));
        }
        assert!(passwords.run(job(), Unknown).await.is_some());
    }

    #[test]
    fn full_queue_rejects_jobs_until_waiting_ones_are_cancelled() {
        let passwords = BlockingPasswords::new(1);
        let mut queue = lock(&passwords.queue);
        let (first, _outcome) = waiting_job();
        assert!(matches!(queue.admit(first, Unknown), QueueResult::Start(_)));
        let mut outcomes = Vec::new();
        for _ in 0..MAX_WAITING_PER_THREAD {
            let (waiting, outcome) = waiting_job();
            assert!(matches!(queue.admit(waiting, Unknown), QueueResult::Queued));
            outcomes.push(outcome);
        }
        assert!(matches!(
            queue.admit(waiting_job().0, Unknown),
            QueueResult::Rejected
        ));
        drop(outcomes.split_off(1));
        let (last, _outcome) = waiting_job();
        assert!(matches!(queue.admit(last, Unknown), QueueResult::Queued));
        assert_eq!(
            [(); 3].map(|()| queue.next().is_some()),
            [true, true, false]
        );
        assert!(matches!(
            queue.admit(waiting_job().0, Unknown),
            QueueResult::Start(_)
        ));
    }

    #[test]
    fn known_clients_have_every_second_turn_when_unknown_ones_fill_their_queue() {
        let passwords = BlockingPasswords::new(1);
        let mut queue = lock(&passwords.queue);
        let mut outcomes = Vec::new();
        let mut admit = |queue: &mut JobQueue, priority| {
            let (waiting, outcome) = waiting_job();
            outcomes.push(outcome);
            queue.admit(waiting, priority)
        };
        assert!(matches!(admit(&mut queue, Unknown), QueueResult::Start(_)));
        while matches!(admit(&mut queue, Unknown), QueueResult::Queued) {}
        for _ in 0..2 {
            assert!(matches!(admit(&mut queue, Known), QueueResult::Queued));
        }
        let mut served = Vec::new();
        for _ in 0..4 {
            assert!(queue.next().is_some());
            served.push(queue.last);
        }
        assert_eq!(served, [Known, Unknown, Known, Unknown]);
    }
}
