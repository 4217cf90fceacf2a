//! Password hashing off the threads that serve: few at a time, and few that wait.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::Passwords;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// How many jobs may wait for each one that runs: about a second's worth. Who would wait longer
/// is better told to come back.
const WAITING_PER_RUNNING: usize = 32;

/// A pool of threads for password jobs. A thread begins with a job that need not wait and goes on
/// with those that do, until none is left: on a busy server no core waits for two threads to wake
/// each other between one hash and the next, and the memory of a hash serves the next one, where
/// the kernel would take nearly as long as the hash itself to hand out new memory.
pub struct BlockingPasswords {
    queue: Arc<Mutex<Queue>>,
}

struct Queue {
    /// How many threads may yet begin.
    idle: usize,
    waiting: VecDeque<Waiting>,
    most_waiting: usize,
}

struct Waiting {
    job: PasswordJob,
    answer: oneshot::Sender<PasswordOutcome>,
}

impl BlockingPasswords {
    /// A pool that runs this many jobs at once; 0 for one a core.
    pub fn new(concurrency: usize) -> Self {
        let cores = || available_parallelism().map_or(1, usize::from);
        let running = if concurrency == 0 {
            cores()
        } else {
            concurrency
        };
        Self {
            queue: Arc::new(Mutex::new(Queue {
                idle: running,
                waiting: VecDeque::new(),
                most_waiting: running * WAITING_PER_RUNNING,
            })),
        }
    }
}

#[async_trait]
impl Passwords for BlockingPasswords {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        let (answer, outcome) = oneshot::channel();
        match lock(&self.queue).admit(Waiting { job, answer }) {
            Admitted::Begins(first) => {
                let queue = Arc::clone(&self.queue);
                spawn_blocking(move || work(first, &queue));
            }
            Admitted::Waits => {}
            Admitted::Refused => return None,
        }
        Some(outcome.await.unwrap_or(PasswordOutcome::Failed))
    }
}

/// What becomes of a job.
enum Admitted {
    /// A thread is free for it.
    Begins(Waiting),
    Waits,
    Refused,
}

impl Queue {
    fn admit(&mut self, job: Waiting) -> Admitted {
        if self.idle > 0 {
            self.idle -= 1;
            return Admitted::Begins(job);
        }
        if self.waiting.len() >= self.most_waiting {
            self.waiting.retain(|waiting| !waiting.answer.is_closed());
        }
        if self.waiting.len() >= self.most_waiting {
            return Admitted::Refused;
        }
        self.waiting.push_back(job);
        Admitted::Waits
    }

    /// What a thread does next; without anything it is idle. Who has gone away is passed over.
    fn next(&mut self) -> Option<Waiting> {
        loop {
            match self.waiting.pop_front() {
                Some(next) if next.answer.is_closed() => {}
                Some(next) => return Some(next),
                None => {
                    self.idle += 1;
                    return None;
                }
            }
        }
    }
}

/// Runs a job and whatever waits when it is done.
fn work(first: Waiting, queue: &Mutex<Queue>) {
    let mut memory = memory();
    let mut next = Some(first);
    while let Some(Waiting { job, answer }) = next {
        // A panic must not cost the pool its thread.
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut memory)));
        // Nobody may be left to be told.
        let _ = answer.send(outcome.unwrap_or(PasswordOutcome::Failed));
        next = lock(queue).next();
    }
}

fn lock(queue: &Mutex<Queue>) -> std::sync::MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory of a thread's jobs. glibc keeps freed blocks of up to 32 MiB for later and, aligned as
/// these are, seldom fits one into the place of the last: the process would grow by hundreds of
/// megabytes as people log in. A larger block is mapped for itself and given back at once when
/// nobody waits any more, and what a job does not touch of it costs nothing.
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

    /// A job with whoever waits for it.
    fn asked() -> (Waiting, oneshot::Receiver<PasswordOutcome>) {
        let (answer, outcome) = oneshot::channel();
        (Waiting { job: job(), answer }, outcome)
    }

    #[tokio::test]
    async fn more_jobs_than_threads_are_all_done() {
        let passwords = BlockingPasswords::new(2);
        let outcomes = join_all((0..7).map(|_| passwords.run(job()))).await;
        for outcome in outcomes {
            assert!(matches!(outcome, Some(PasswordOutcome::Hashed(_))));
        }
        assert!(passwords.run(job()).await.is_some());
    }

    #[test]
    fn who_would_wait_too_long_is_sent_away_and_who_goes_away_gives_the_place_back() {
        let passwords = BlockingPasswords::new(1);
        let mut queue = lock(&passwords.queue);
        let (first, _outcome) = asked();
        assert!(matches!(queue.admit(first), Admitted::Begins(_)));
        let mut outcomes = Vec::new();
        for _ in 0..WAITING_PER_RUNNING {
            let (waiting, outcome) = asked();
            assert!(matches!(queue.admit(waiting), Admitted::Waits));
            outcomes.push(outcome);
        }
        assert!(matches!(queue.admit(asked().0), Admitted::Refused));
        drop(outcomes.split_off(1));
        let (last, _outcome) = asked();
        assert!(matches!(queue.admit(last), Admitted::Waits));
        assert_eq!(
            [(); 3].map(|()| queue.next().is_some()),
            [true, true, false]
        );
        assert!(matches!(queue.admit(asked().0), Admitted::Begins(_)));
    }
}
