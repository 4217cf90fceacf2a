//! Tells the cache what the Rooms of this process have stored, all of them together.
//!
//! A request for each commit would cost a message as much as its delivery, and at the time of it.
//! A Room only hands over its events and need not be there when they are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use colloquy_core::cache::{NewEvents, RecentHistory, WriteBuffer};
use futures_util::future::join_all;
use tokio_util::task::TaskTracker;

/// How long events wait for company. Who reads a history meanwhile is answered by the database.
const RECORD_AFTER: Duration = Duration::from_millis(50);

/// Conversations of a pipeline: a busy one brings up to a hundred events.
const MOST: usize = 32;

/// Gathers events and tells the cache of them. Clones share it.
#[derive(Clone)]
pub(crate) struct CacheWriter(Arc<Shared>);

struct Shared {
    recent: Arc<RecentHistory>,
    tasks: TaskTracker,
    unrecorded: Mutex<WriteBuffer>,
}

impl CacheWriter {
    /// Nothing waits yet. What it does is one of `tasks`.
    pub(crate) fn new(recent: Arc<RecentHistory>, tasks: TaskTracker) -> Self {
        Self(Arc::new(Shared {
            recent,
            tasks,
            unrecorded: Mutex::default(),
        }))
    }

    /// Takes committed events.
    pub(crate) fn record(&self, new: NewEvents) {
        let begins = self.lock().push(new);
        if begins {
            self.0.tasks.spawn(self.clone().serve());
        }
    }

    /// Tells what waits, until nothing does.
    async fn serve(self) {
        let mut more = true;
        while more {
            tokio::time::sleep(RECORD_AFTER).await;
            let batch = self.lock().drain();
            join_all(batch.chunks(MOST).map(|some| self.0.recent.record(some))).await;
            more = self.lock().finished();
        }
    }

    fn lock(&self) -> MutexGuard<'_, WriteBuffer> {
        // Each change is one step, so a panic elsewhere leaves nothing half done.
        let unrecorded = &self.0.unrecorded;
        unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
