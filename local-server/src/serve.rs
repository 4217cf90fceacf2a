//! HTTP connections: from the listening socket to the router, and graceful shutdown.
//!
//! Owns the accept loop, the limits and deadlines of connections, the client's address and shutdown.
//! It uses hyper directly because `axum::serve` offers none of these. Adds no route and reads no
//! request. `limits` counts connections, `connection` serves one, `phases` has its deadlines,
//! `watch` reports to them, `response_budget` bounds unsent responses.

mod connection;
mod limits;
mod log_limiter;
mod open_files;
mod phases;
mod response_budget;
mod watch;

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use connection::ConnectionContext;
pub use limits::ConnectionLimits;
pub(crate) use limits::ConnectionSlot;
use limits::{OpenConnections, Refusal};
use log_limiter::LogLimiter;
pub use open_files::raise_limit;
pub use phases::ConnectionTimeouts;
use response_budget::ResponseBudget;
pub(crate) use watch::WatchedStream;

/// The pause of the accept loop when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the server stops.
pub struct Stop<S, D> {
    /// Resolves when the server must stop.
    pub signal: S,
    /// Shuts down the rooms and their sockets.
    pub drain: D,
    /// The deadline for the drain and open requests.
    pub within: Duration,
}

/// Serves until the stop signal, then closes the listener, drains, and waits for open requests.
/// Returns whether everything finished within the deadline.
pub async fn serve<S, D>(
    listener: TcpListener,
    router: Router,
    (limits, timeouts): (ConnectionLimits, ConnectionTimeouts),
    stop: Stop<S, D>,
) -> bool
where
    S: Future<Output = ()>,
    D: Future<Output = ()>,
{
    let connections = HttpConnections::new(router, limits, timeouts);
    let mut signal = pin!(stop.signal);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => connections.add(stream, address),
                Err(error) => connections.recover(&error).await,
            },
            () = &mut signal => break,
        }
    }
    // Closes the port, so that a load balancer fails over at once.
    drop(listener);
    let finished = async { tokio::join!(stop.drain, connections.finish()) };
    timeout(stop.within, finished).await.is_ok()
}

/// The connections that have not been upgraded to a WebSocket.
struct HttpConnections {
    tasks: TaskTracker,
    context: Arc<ConnectionContext>,
    refusals: LogLimiter,
    accept_errors: LogLimiter,
}

impl HttpConnections {
    fn new(router: Router, limits: ConnectionLimits, timeouts: ConnectionTimeouts) -> Self {
        Self {
            tasks: TaskTracker::new(),
            context: Arc::new(ConnectionContext {
                router,
                timeouts,
                open: Arc::new(OpenConnections::new(limits)),
                responses: Arc::new(ResponseBudget::default()),
                stopping: CancellationToken::new(),
            }),
            refusals: LogLimiter::default(),
            accept_errors: LogLimiter::default(),
        }
    }

    fn add(&self, stream: TcpStream, address: SocketAddr) {
        // An IPv4 client of an IPv6 listener is the same client.
        let address = address.ip().to_canonical();
        let slot = match self.context.open.admit(address) {
            Ok(slot) => slot,
            Err(refusal) => return self.refuse(stream, address, refusal),
        };
        // Disables Nagle's algorithm for small frames. A failure only costs latency.
        stream.set_nodelay(true).ok();
        let context = Arc::clone(&self.context);
        self.tasks
            .spawn(connection::serve(stream, address, slot, context));
    }

    /// Answers 503, as far as the kernel takes it at once, and closes.
    fn refuse(&self, stream: TcpStream, address: IpAddr, refusal: Refusal) {
        let (setting, detail) = match refusal {
            Refusal::Total => (
                "MAX_CONNECTIONS",
                "The server has too many connections, try again later.",
            ),
            Refusal::Address => (
                "MAX_CONNECTIONS_PER_ADDRESS",
                "There are too many connections from this address; close some and try again later.",
            ),
        };
        if let Some(count) = self.refusals.record(Instant::now()) {
            tracing::warn!(
                setting,
                client.address = %address,
                count,
                "connections refused"
            );
        }
        // Without the runtime, which would wait until the socket is known to be writable.
        if let Ok(mut stream) = stream.into_std() {
            let response = refusal_response(&format!("{:032x}", rand::random::<u128>()), detail);
            // The client may have disconnected.
            drop(stream.write(response.as_bytes()));
            drop(stream.shutdown(Shutdown::Write));
        }
    }

    /// Handles a failed accept. A client that has already disconnected is ignored; without file
    /// descriptors (EMFILE, ENFILE) or memory the loop pauses instead of spinning.
    async fn recover(&self, error: &io::Error) {
        let disconnected = [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::Interrupted,
        ];
        if disconnected.contains(&error.kind()) {
            return;
        }
        if let Some(count) = self.accept_errors.record(Instant::now()) {
            tracing::error!(%error, count, "accept failed; the limit of open files may be too low");
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    /// Answers requests in flight and closes idle connections.
    async fn finish(&self) {
        self.context.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A 503 in the shape of the API's errors, for a connection that does not reach the router.
fn refusal_response(request_id: &str, detail: &str) -> String {
    let body =
        format!(r#"{{"detail":"{detail}","code":"overloaded","request_id":"{request_id}"}}"#);
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nRetry-After: 2\r\nX-Request-Id: {request_id}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests;
