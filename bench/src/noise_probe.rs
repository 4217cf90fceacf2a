//! A noise probe: measures the noise of the host while a server is measured.
//!
//! A paused machine or a slow disk dominates the slowest of few messages. So two threads with almost
//! no load run beside the measurement: one sleeps and records how late it wakes, the other syncs a
//! few bytes, as a commit does, and records how long that takes.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

const SLEEP: Duration = Duration::from_millis(5);
/// Syncing more often would itself slow down commits.
const BETWEEN_SYNCS: Duration = Duration::from_millis(100);

/// The two threads of the probe.
pub(crate) struct NoiseProbe {
    stop: Arc<AtomicBool>,
    sleeper: JoinHandle<Duration>,
    syncer: JoinHandle<Result<Duration>>,
}

/// The largest delays observed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoiseSample {
    /// How late the sleeping thread woke up.
    pub(crate) wake_delay: Duration,
    /// How long an fsync took.
    pub(crate) sync: Duration,
}

impl NoiseProbe {
    pub(crate) fn start() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let file = unnamed_file()?;
        let (sleeping, syncing) = (Arc::clone(&stop), Arc::clone(&stop));
        Ok(Self {
            stop,
            sleeper: thread::spawn(move || latest_wake(&sleeping)),
            syncer: thread::spawn(move || slowest_sync(file, &syncing)),
        })
    }

    /// Stops both threads; off the runtime's thread, because the last sync is waited for.
    pub(crate) async fn end(self) -> Result<NoiseSample> {
        tokio::task::spawn_blocking(move || {
            self.stop.store(true, Ordering::Relaxed);
            let wake_delay = self
                .sleeper
                .join()
                .map_err(|_| anyhow!("thread panicked"))?;
            let sync = self
                .syncer
                .join()
                .map_err(|_| anyhow!("thread panicked"))??;
            Ok(NoiseSample { wake_delay, sync })
        })
        .await?
    }
}

/// In the directory for temporary files, where the databases of a run are.
fn unnamed_file() -> Result<File> {
    let path = std::env::temp_dir().join(format!("colloquy-bench-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

fn latest_wake(stop: &AtomicBool) -> Duration {
    let mut latest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        thread::sleep(SLEEP);
        latest = latest.max(started.elapsed().saturating_sub(SLEEP));
    }
    latest
}

fn slowest_sync(mut file: File, stop: &AtomicBool) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        file.rewind()?;
        file.write_all(b"noise probe")?;
        let started = Instant::now();
        file.sync_data()?;
        slowest = slowest.max(started.elapsed());
        thread::sleep(BETWEEN_SYNCS);
    }
    Ok(slowest)
}
