//! What the machine does to anybody meanwhile, whatever server is measured.
//!
//! A machine that stands still, or a disk that does, shows in the slowest of few messages as if the
//! server had. So two threads that want next to nothing look on: one sleeps and sees how late it
//! wakes, the other syncs a few bytes, as a commit does, and sees how long that takes.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

const SLEEP: Duration = Duration::from_millis(5);
/// A file that is synced more often would itself be what slows commits.
const BETWEEN_SYNCS: Duration = Duration::from_millis(100);

/// The two threads.
pub(crate) struct Witness {
    over: Arc<AtomicBool>,
    sleeper: JoinHandle<Duration>,
    syncer: JoinHandle<Result<Duration>>,
}

/// The worst they saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// How much too late the sleeper woke.
    pub(crate) late: Duration,
    /// How long a sync took.
    pub(crate) sync: Duration,
}

impl Witness {
    pub(crate) fn start() -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let file = unnamed_file()?;
        let (sleeping, syncing) = (Arc::clone(&over), Arc::clone(&over));
        Ok(Self {
            over,
            sleeper: thread::spawn(move || latest_wake(&sleeping)),
            syncer: thread::spawn(move || slowest_sync(file, &syncing)),
        })
    }

    /// Ends both. On a thread of its own, since the last sync is waited for.
    pub(crate) async fn end(self) -> Result<Seen> {
        tokio::task::spawn_blocking(move || {
            self.over.store(true, Ordering::Relaxed);
            let late = self.sleeper.join().map_err(|_| anyhow!("it panicked"))?;
            let sync = self.syncer.join().map_err(|_| anyhow!("it panicked"))??;
            Ok(Seen { late, sync })
        })
        .await?
    }
}

/// In the directory for temporary files, where a run's databases are, too.
fn unnamed_file() -> Result<File> {
    let path = std::env::temp_dir().join(format!("colloquy-bench-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

fn latest_wake(over: &AtomicBool) -> Duration {
    let mut latest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        thread::sleep(SLEEP);
        latest = latest.max(begun.elapsed().saturating_sub(SLEEP));
    }
    latest
}

fn slowest_sync(mut file: File, over: &AtomicBool) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        file.rewind()?;
        file.write_all(b"witness")?;
        let begun = Instant::now();
        file.sync_data()?;
        slowest = slowest.max(begun.elapsed());
        thread::sleep(BETWEEN_SYNCS);
    }
    Ok(slowest)
}
