//! The thread that does all writes to an SQLite database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use colloquy_core::store::driver::{DriverError, Step};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::RUN_TIMEOUT;
use super::sqlite_steps::{OwnedStep, StepResults, closed, driver_error, run_owned};

/// A batch, and where its results go.
struct WriteJob {
    steps: Vec<OwnedStep>,
    /// How long it waits for a lock of another process.
    busy_timeout: Duration,
    reply: oneshot::Sender<StepResults>,
}

/// Sends batches to the thread, which ends when this is closed or dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter {
    thread: Mutex<Option<(mpsc::Sender<WriteJob>, JoinHandle<()>)>>,
    waits_for_lock: Arc<AtomicBool>,
}

impl SqliteWriter {
    /// Starts the thread, which owns the connection.
    pub(super) fn spawn(mut connection: Connection) -> Result<Self, DriverError> {
        let (sender, jobs) = mpsc::channel::<WriteJob>();
        let waits_for_lock = Arc::new(AtomicBool::new(false));
        let waits = Arc::clone(&waits_for_lock);
        let thread = thread::Builder::new().name("sqlite-writer".to_owned());
        let thread = thread.spawn(move || {
            for job in jobs {
                // The caller is gone before anything was done.
                if job.reply.is_closed() {
                    continue;
                }
                let results = write(&mut connection, &job, &waits);
                // A caller that has given up does not learn the outcome.
                let _ = job
                    .reply
                    .send(results.map_err(|error| driver_error(&error)));
            }
        });
        let thread = thread.map_err(|error| DriverError::Unavailable(error.to_string()))?;
        Ok(Self {
            thread: Mutex::new(Some((sender, thread))),
            waits_for_lock,
        })
    }

    /// Whether a batch is waiting for a lock of another process.
    pub(super) fn waits_for_lock(&self) -> bool {
        self.waits_for_lock.load(Ordering::Relaxed)
    }

    /// Runs the whole batch or nothing.
    pub(super) async fn write(&self, steps: &[Step<'_>]) -> StepResults {
        self.run(steps, RUN_TIMEOUT).await
    }

    /// As [`Self::write`], but waits only this long for a lock of another process.
    pub(super) async fn run(&self, steps: &[Step<'_>], busy_timeout: Duration) -> StepResults {
        let steps = OwnedStep::copy(steps);
        let (reply, results) = oneshot::channel();
        let job = WriteJob {
            steps,
            busy_timeout,
            reply,
        };
        let sent = match &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((sender, _)) => sender.send(job).is_ok(),
            None => false,
        };
        if !sent {
            return Err(closed());
        }
        results.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until the thread has done its queued batches, and closes the connection.
    pub(super) async fn close(&self) {
        let running = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((sender, thread)) = running {
            drop(sender);
            let _ = spawn_blocking(|| thread.join()).await;
        }
    }
}

/// `begin immediate` takes the write lock at the start. A transaction that reads first and writes
/// later would fail half way when another process wrote in between.
fn write(
    connection: &mut Connection,
    job: &WriteJob,
    waits_for_lock: &AtomicBool,
) -> rusqlite::Result<Vec<Option<String>>> {
    if job.busy_timeout != RUN_TIMEOUT {
        connection.busy_timeout(job.busy_timeout)?;
    }
    waits_for_lock.store(true, Ordering::Relaxed);
    let begun = begin(connection);
    waits_for_lock.store(false, Ordering::Relaxed);
    let results = begun.and_then(|transaction| {
        // Rolled back when it is dropped before the commit.
        let results = run_owned(&transaction, &job.steps)?;
        transaction.commit()?;
        Ok(results)
    });
    if job.busy_timeout != RUN_TIMEOUT {
        connection.busy_timeout(RUN_TIMEOUT)?;
    }
    results
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}
