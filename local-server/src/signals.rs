//! Signals: SIGTERM, SIGINT and SIGQUIT stop the server, the first gracefully and the second at once.
//! SIGHUP and SIGUSR1 open the log files again, and never end the process.

use std::io;

use tokio::sync::oneshot;

use crate::logging::Reopener;

/// The exit code of a process ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Installs the handlers that stop the server. The returned future resolves at the first signal; the
/// second exits the process at once.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::stopping()?;
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

/// Installs the handlers that open the log files again. Without a handler these signals would end the
/// process: SIGHUP also arrives when its terminal closes.
pub fn reopen_logs_on_hangup(logs: Reopener) -> io::Result<()> {
    let mut signals = Signals::reopening()?;
    tokio::spawn(async move {
        loop {
            signals.next().await;
            logs.reopen();
            tracing::info!("log files reopened");
        }
    });
    Ok(())
}

#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn stopping() -> io::Result<Self> {
        use tokio::signal::unix::SignalKind;
        Self::of(&[
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::quit(),
        ])
    }

    fn reopening() -> io::Result<Self> {
        use tokio::signal::unix::SignalKind;
        Self::of(&[SignalKind::hangup(), SignalKind::user_defined1()])
    }

    fn of(kinds: &[tokio::signal::unix::SignalKind]) -> io::Result<Self> {
        let signals = kinds.iter().map(|kind| tokio::signal::unix::signal(*kind));
        Ok(Self(signals.collect::<io::Result<_>>()?))
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            if signals.any(|signal| signal.poll_recv(context).is_ready()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// Other systems have Ctrl-C only.
#[cfg(not(unix))]
struct Signals {
    interrupts: bool,
}

#[cfg(not(unix))]
impl Signals {
    fn stopping() -> io::Result<Self> {
        Ok(Self { interrupts: true })
    }

    fn reopening() -> io::Result<Self> {
        Ok(Self { interrupts: false })
    }

    async fn next(&mut self) {
        if self.interrupts {
            drop(tokio::signal::ctrl_c().await);
        } else {
            std::future::pending::<()>().await;
        }
    }
}
