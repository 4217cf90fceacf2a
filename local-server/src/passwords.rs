//! Password hashing on blocking threads, with a bound on running and waiting jobs.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::Passwords;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Waiting jobs per running one: about a second of work. Further jobs are rejected with 503 and
/// `Retry-After`.
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
    waiting: VecDeque<WaitingJob>,
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
                waiting: VecDeque::new(),
                max_waiting: running * MAX_WAITING_PER_THREAD,
            })),
        }
    }
}

#[async_trait]
impl Passwords for BlockingPasswords {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        let (sender, outcome) = oneshot::channel();
        match lock(&self.queue).admit(WaitingJob { job, sender }) {
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
    fn admit(&mut self, job: WaitingJob) -> QueueResult {
        if self.idle > 0 {
            self.idle -= 1;
            return QueueResult::Start(job);
        }
        if self.waiting.len() >= self.max_waiting {
            self.waiting.retain(|waiting| !waiting.sender.is_closed());
        }
        if self.waiting.len() >= self.max_waiting {
            return QueueResult::Rejected;
        }
        self.waiting.push_back(job);
        QueueResult::Queued
    }

    /// The next job of a thread, which becomes idle without one. Cancelled jobs are skipped.
    fn next(&mut self) -> Option<WaitingJob> {
        loop {
            match self.waiting.pop_front() {
                Some(next) if next.sender.is_closed() => {}
                Some(next) => return Some(next),
                None => {
                    self.idle += 1;
                    return None;
                }
            }
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
        let outcomes = join_all((0..7).map(|_| passwords.run(job()))).await;
        for outcome in outcomes {
            assert!(matches!(outcome, Some(PasswordOutcome::Hashed(_))));
        }
        assert!(passwords.run(job()).await.is_some());
    }

    #[test]
    fn full_queue_rejects_jobs_until_waiting_ones_are_cancelled() {
        let passwords = BlockingPasswords::new(1);
        let mut queue = lock(&passwords.queue);
        let (first, _outcome) = waiting_job();
        assert!(matches!(queue.admit(first), QueueResult::Start(_)));
        let mut outcomes = Vec::new();
        for _ in 0..MAX_WAITING_PER_THREAD {
            let (waiting, outcome) = waiting_job();
            assert!(matches!(queue.admit(waiting), QueueResult::Queued));
            outcomes.push(outcome);
        }
        assert!(matches!(
            queue.admit(waiting_job().0),
            QueueResult::Rejected
        ));
        drop(outcomes.split_off(1));
        let (last, _outcome) = waiting_job();
        assert!(matches!(queue.admit(last), QueueResult::Queued));
        assert_eq!(
            [(); 3].map(|()| queue.next().is_some()),
            [true, true, false]
        );
        assert!(matches!(
            queue.admit(waiting_job().0),
            QueueResult::Start(_)
        ));
    }
}
