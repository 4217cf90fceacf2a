//! SIGTERM and SIGINT: the first asks the server to stop, the second ends it.

use std::io;

use tokio::sync::oneshot;

/// What a shell reports for a process ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Listens from now on; the returned future resolves at the first signal. The second ends the
/// process where it stands.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new()?;
    let (asked, asks) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("told to stop; once more to stop at once");
        asked.send(()).ok();
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(async move { drop(asks.await) })
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self {
            terminate,
            interrupt,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}
