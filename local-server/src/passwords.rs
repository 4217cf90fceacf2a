//! Password hashing off the threads that serve: few at a time, and few that wait.

use std::sync::Arc;
use std::thread::available_parallelism;

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::Passwords;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many jobs may wait for each one that runs: about a second's worth. Who would wait longer
/// is better told to come back.
const WAITING_PER_RUNNING: usize = 32;

/// A pool of threads for password jobs.
pub struct BlockingPasswords {
    running: Arc<Semaphore>,
    /// One for each job that runs or waits.
    admitted: Arc<Semaphore>,
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
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running * (1 + WAITING_PER_RUNNING))),
        }
    }
}

#[async_trait]
impl Passwords for BlockingPasswords {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        let admitted = self.admitted.clone().try_acquire_owned().ok()?;
        // A caller that goes away while it waits gives its place back; once the job runs, the
        // thread holds both until it is done, or hashing could exceed its share.
        let running = self.running.clone().acquire_owned().await.ok()?;
        let outcome = spawn_blocking(move || {
            let outcome = job.run(&mut memory());
            drop((running, admitted));
            outcome
        });
        Some(outcome.await.unwrap_or(PasswordOutcome::Failed))
    }
}

/// The memory of one job. glibc keeps freed blocks of up to 32 MiB for later and, aligned as
/// these are, seldom fits one into the place of the last: the process would grow by hundreds of
/// megabytes as people log in. A larger block is mapped for itself and given back at once, and
/// what a job does not touch of it costs nothing.
pub(crate) fn memory() -> HashMemory {
    HashMemory::with_capacity(HashMemory::BYTES.max(33 * 1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use colloquy_core::auth::Password;

    fn job() -> PasswordJob {
        PasswordJob::Hash {
            password: Password::new("s3cretPassw0rd".to_owned()),
            salt: [7; 16],
        }
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_sent_away() {
        let passwords = BlockingPasswords::new(1);
        assert!(matches!(
            passwords.run(job()).await,
            Some(PasswordOutcome::Hashed(_))
        ));
        let all = passwords
            .admitted
            .clone()
            .acquire_many_owned(33)
            .await
            .unwrap();
        assert!(passwords.run(job()).await.is_none());
        drop(all);
        assert!(passwords.run(job()).await.is_some());
    }

    #[tokio::test]
    async fn who_goes_away_gives_the_place_back() {
        let passwords = BlockingPasswords::new(1);
        let busy = passwords.running.clone().acquire_owned().await.unwrap();
        tokio::select! {
            biased;
            _ = passwords.run(job()) => panic!("nothing can run"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(passwords.admitted.available_permits(), 33);
        drop(busy);
    }
}
