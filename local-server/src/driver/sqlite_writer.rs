//! The thread that does all writes to an SQLite database.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use colloquy_core::store::driver::{DriverError, Step};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::sqlite_steps::{OwnedStep, StepResults, closed, driver_error, run_owned};

/// A batch, and where its results go.
struct WriteJob {
    steps: Vec<OwnedStep>,
    reply: oneshot::Sender<StepResults>,
}

/// Sends batches to the thread, which ends when this is closed or dropped.
#[derive(Debug)]
pub(super) struct SqliteWriter(Mutex<Option<(mpsc::Sender<WriteJob>, JoinHandle<()>)>>);

impl SqliteWriter {
    /// Starts the thread, which owns the connection.
    pub(super) fn spawn(mut connection: Connection) -> Result<Self, DriverError> {
        let (sender, jobs) = mpsc::channel();
        let thread = thread::Builder::new().name("sqlite-writer".to_owned());
        let thread = thread.spawn(move || {
            for WriteJob { steps, reply } in jobs {
                // The caller is gone before anything was done.
                if reply.is_closed() {
                    continue;
                }
                let results = write(&mut connection, &steps);
                // A caller that has given up does not learn the outcome.
                let _ = reply.send(results.map_err(|error| driver_error(&error)));
            }
        });
        let thread = thread.map_err(|error| DriverError::Unavailable(error.to_string()))?;
        Ok(Self(Mutex::new(Some((sender, thread)))))
    }

    /// Runs the whole batch or nothing.
    pub(super) async fn write(&self, steps: &[Step<'_>]) -> StepResults {
        let steps = OwnedStep::copy(steps);
        let (reply, results) = oneshot::channel();
        let sent = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((sender, _)) => sender.send(WriteJob { steps, reply }).is_ok(),
            None => false,
        };
        if !sent {
            return Err(closed());
        }
        results.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until the thread has done its queued batches, and closes the connection.
    pub(super) async fn close(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
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
    steps: &[OwnedStep],
) -> rusqlite::Result<Vec<Option<String>>> {
    // Rolled back when it is dropped before the commit.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let results = run_owned(&transaction, steps)?;
    transaction.commit()?;
    Ok(results)
}
