//! SIGTERM and SIGINT: the first starts a graceful shutdown, the second exits at once.

use std::io;

use tokio::sync::oneshot;

/// The exit code of a process ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Installs the handlers. The returned future resolves at the first signal; the second exits the
/// process at once.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new()?;
    let (sender, stopped) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("shutting down; signal again to exit at once");
        sender.send(()).ok();
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(async move { drop(stopped.await) })
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
