//! The proxy: an HTTP server that gives a plain Redis the Upstash REST protocol.
//!
//! Owns the listener, the routes, the token check and one multiplexed connection to Redis. It
//! speaks no TLS (a neighbour of its Redis, not a public host), keeps no state, runs no command
//! twice, and refuses what would need a connection of its own (see `refusal`).
//!
//! To serve one more route, add it to `routes`; to refuse one more command, add it to `refusal`.

mod connection;
mod healthcheck;
mod rejection;
mod response;
mod routes;
mod settings;
mod token;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub use healthcheck::{HealthcheckError, healthcheck};
pub use settings::{RedisAddress, Settings, SettingsError};
pub use token::Token;

/// How long requests in flight may take to finish after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Why the proxy ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Signals, standard output or the listener failed.
    #[error("the proxy cannot run")]
    Run(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, then lets requests in flight finish.
///
/// Writes one line to standard output once it listens:
/// `redis-http listening on http://ADDRESS`. Redis need not be there yet.
pub async fn run(settings: Settings) -> Result<(), ProxyError> {
    let address = settings.listen;
    let listen = |source| ProxyError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    // Before the line is printed: whoever waits for it may signal at once.
    let stopping = stop_on_signal()?;
    writeln!(
        io::stdout(),
        "redis-http listening on http://{}",
        listener.local_addr()?
    )?;

    let listener = listener.tap_io(|stream| {
        // Answers are small and waited for; without this they would wait for an ACK.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, routes::router(settings))
        .with_graceful_shutdown(stopped(stopping.clone()));
    tokio::select! {
        ended = server => ended?,
        () = async { stopped(stopping).await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(grace_s = GRACE.as_secs(), "requests still in flight were cut off");
        }
    }
    Ok(())
}

fn stop_on_signal() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    Ok(stopping)
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error says that the sender is gone, which it is only after having sent.
    let _ = stopping.wait_for(|stop| *stop).await;
}
