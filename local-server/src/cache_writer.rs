//! Writes the events that the Rooms of this process have stored to the cache, behind their delivery.
//!
//! A write for each commit would cost as much as the delivery of its messages, and compete with it.
//! A Room hands its events over and may have retired when they are written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use colloquy_core::cache::RecentHistory;
use colloquy_proto::room::{NewEvents, WriteBuffer};
use futures_util::future::join_all;
use tokio_util::task::TaskTracker;

/// The batching window of cache writes. Until the write, the history is read from the database.
const WRITE_AFTER: Duration = Duration::from_millis(50);

/// The most conversations in one pipeline; an active one has up to a hundred events.
const MAX_CONVERSATIONS: usize = 32;

/// A write-behind buffer with its writer. Clones share it.
#[derive(Clone)]
pub(crate) struct CacheWriter(Arc<CacheWriterState>);

struct CacheWriterState {
    recent: Arc<RecentHistory>,
    tasks: TaskTracker,
    buffer: Mutex<WriteBuffer>,
}

impl CacheWriter {
    /// An empty buffer. The writer runs as one of `tasks` while events wait.
    pub(crate) fn new(recent: Arc<RecentHistory>, tasks: TaskTracker) -> Self {
        Self(Arc::new(CacheWriterState {
            recent,
            tasks,
            buffer: Mutex::new(RecentHistory::write_buffer()),
        }))
    }

    /// Takes committed events.
    pub(crate) fn push(&self, events: NewEvents) {
        let must_start = self.buffer().push(events);
        if must_start {
            self.0.tasks.spawn(self.clone().write());
        }
    }

    /// Writes until no event waits.
    async fn write(self) {
        let mut more = true;
        while more {
            tokio::time::sleep(WRITE_AFTER).await;
            let batch = self.buffer().drain();
            let pipelines = batch.chunks(MAX_CONVERSATIONS);
            join_all(pipelines.map(|events| self.0.recent.record(events))).await;
            more = self.buffer().finished();
        }
    }

    fn buffer(&self) -> MutexGuard<'_, WriteBuffer> {
        // Every change is complete when the lock is released, so a panic elsewhere leaves it valid.
        let buffer = &self.0.buffer;
        buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
