//! An HTTP server that puts the Upstash REST protocol in front of a plain Redis.
//!
//! Owns the listener, the routes, the token check and one multiplexed connection to Redis. It has no
//! TLS (it runs beside its Redis, not in public), keeps no state, never sends a command twice, and
//! rejects commands that need a connection of their own (see `rejection`).
//!
//! To add a route, extend `routes`; to reject another command, extend `rejection`.

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

/// How long in-flight requests may take after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Why the proxy stopped, other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address is in use or not local.
    #[error("cannot listen on {address}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Signals, standard output or the listener failed.
    #[error("the proxy failed")]
    Run(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, then finishes in-flight requests.
///
/// Writes one line to standard output once it listens:
/// `redis-http listening on http://ADDRESS`. Redis may start later.
pub async fn run(settings: Settings) -> Result<(), ProxyError> {
    let address = settings.listen;
    let listen = |source| ProxyError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    // Before the line is printed: its reader may send a signal at once.
    let stopping = stop_on_signal()?;
    writeln!(
        io::stdout(),
        "redis-http listening on http://{}",
        listener.local_addr()?
    )?;

    let listener = listener.tap_io(|stream| {
        // Responses are small; Nagle's algorithm would delay them until the next ACK.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, routes::router(settings))
        .with_graceful_shutdown(stopped(stopping.clone()));
    tokio::select! {
        ended = server => ended?,
        () = async { stopped(stopping).await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(grace_s = GRACE.as_secs(), "shutdown deadline exceeded, in-flight requests dropped");
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
    // The sender is dropped only after it has sent, so an error means stopped as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}
