//! Gathers the commits of all Rooms: while a transaction is under way, those of other Rooms
//! queue up and go out together as the next one. A Room waits for its own batch alone.
//!
//! Several workers keep several transactions under way; a database with one writer gets one.

use std::sync::Arc;

use colloquy_core::domain::{Append, AppendedBatch};
use colloquy_core::ports::{Store, StoreError};
use colloquy_core::room::StoreFailed;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Sends of one transaction, about; a Room's batch is never split.
const MAX_SENDS: usize = 512;

/// Rooms whose batches may wait; each Room has at most one.
const MAX_WAITING: usize = 16 * 1024;

type Answer = Result<AppendedBatch, StoreFailed>;

struct Job {
    sends: Vec<Append>,
    answer: oneshot::Sender<Answer>,
}

/// The way from Rooms to the store.
#[derive(Clone)]
pub struct Committer(mpsc::Sender<Job>);

impl Committer {
    /// Starts the workers. They end when the last clone is dropped.
    pub fn start(store: &Arc<dyn Store>, workers: usize) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..workers.max(1) {
            tokio::spawn(work(store.clone(), receiver.clone()));
        }
        Self(sender)
    }

    /// Stores a Room's batch.
    ///
    /// # Errors
    /// [`StoreFailed`] when it is not known to be stored.
    pub async fn commit(&self, sends: Vec<Append>) -> Answer {
        let (answer, result) = oneshot::channel();
        self.0
            .send(Job { sends, answer })
            .await
            .map_err(|_| StoreFailed)?;
        result.await.unwrap_or(Err(StoreFailed))
    }
}

async fn work(store: Arc<dyn Store>, receiver: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut jobs = Vec::new();
        {
            // The lock is a turnstile: one idle worker waits for work, the others for the lock.
            let mut receiver = receiver.lock().await;
            let Some(first) = receiver.recv().await else {
                return;
            };
            let mut sends = first.sends.len();
            jobs.push(first);
            while sends < MAX_SENDS {
                let Ok(job) = receiver.try_recv() else { break };
                sends += job.sends.len();
                jobs.push(job);
            }
        }
        commit_together(&*store, jobs).await;
    }
}

async fn commit_together(store: &dyn Store, jobs: Vec<Job>) {
    let all: Vec<Append> = jobs
        .iter()
        .flat_map(|job| job.sends.iter().cloned())
        .collect();
    match store.append(&all).await {
        Ok(AppendedBatch { epoch, outcomes }) => {
            let mut outcomes = outcomes.into_iter();
            for job in jobs {
                let own = AppendedBatch {
                    epoch: epoch.clone(),
                    outcomes: outcomes.by_ref().take(job.sends.len()).collect(),
                };
                // A Room that is gone needs no answer.
                drop(job.answer.send(Ok(own)));
            }
        }
        Err(StoreError::Unexpected(reason)) if jobs.len() > 1 => {
            tracing::error!(
                error = reason,
                "a joint commit failed; committing room by room"
            );
            for job in jobs {
                let result = store.append(&job.sends).await;
                drop(job.answer.send(result.map_err(|error| failed(&error))));
            }
        }
        Err(error) => {
            let failed = failed(&error);
            for job in jobs {
                drop(job.answer.send(Err(failed)));
            }
        }
    }
}

/// The place where a failed commit is logged: the Room knows no more than that it failed.
fn failed(error: &StoreError) -> StoreFailed {
    error.log("a commit failed");
    StoreFailed
}
