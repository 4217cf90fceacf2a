//! The one thread that writes to an SQLite database.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use colloquy_core::store::driver::DriverError;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::sqlite::{Answers, OwnedStep, closed, driver_error, run_owned};

/// A batch, and who waits for it.
struct Job {
    steps: Vec<OwnedStep>,
    asker: oneshot::Sender<Answers>,
}

/// Hands batches to the thread; it ends with this.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Option<(mpsc::Sender<Job>, JoinHandle<()>)>>);

impl Writer {
    /// Begins the thread, which keeps the connection.
    pub(super) fn over(mut connection: Connection) -> Result<Self, DriverError> {
        let (sender, jobs) = mpsc::channel();
        let thread = thread::Builder::new().name("sqlite-writer".to_owned());
        let thread = thread.spawn(move || {
            for Job { steps, asker } in jobs {
                // Nobody waits for it any more, and nothing of it was done.
                if asker.is_closed() {
                    continue;
                }
                let answers = write(&mut connection, &steps);
                // Who has given up meanwhile does not know what became of it.
                let _ = asker.send(answers.map_err(|error| driver_error(&error)));
            }
        });
        let thread = thread.map_err(|error| DriverError::Unavailable(error.to_string()))?;
        Ok(Self(Mutex::new(Some((sender, thread)))))
    }

    /// Does the whole batch or nothing.
    pub(super) async fn write(&self, steps: Vec<OwnedStep>) -> Answers {
        let (asker, answers) = oneshot::channel();
        let job = Job { steps, asker };
        let sent = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((sender, _)) => sender.send(job).is_ok(),
            None => false,
        };
        if !sent {
            return Err(closed());
        }
        answers.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Ends the thread when it has done what it was given, and with it the connection.
    pub(super) async fn close(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = running {
            drop(sender);
            let _ = spawn_blocking(|| thread.join()).await;
        }
    }
}

/// `begin immediate` takes the write lock at once: a transaction that first reads and then writes
/// could otherwise be refused half way, when another process wrote in between.
fn write(
    connection: &mut Connection,
    steps: &[OwnedStep],
) -> rusqlite::Result<Vec<Option<String>>> {
    // Dropped before its end, it is rolled back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = run_owned(&transaction, steps)?;
    transaction.commit()?;
    Ok(answers)
}
