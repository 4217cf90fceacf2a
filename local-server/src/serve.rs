//! HTTP connections: from the listening socket to the router, and graceful shutdown.
//!
//! Owns connection limits, the client's address, the accept loop and shutdown. It uses hyper
//! directly because `axum::serve` offers no limit on the size of headers or the time to receive
//! them. Adds no route and reads no request.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use colloquy_core::http::ClientAddress;
use hyper::body::Incoming;
use hyper::header::UPGRADE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::perf::deferred_write::{DeferredWrite, HoldSwitch};

/// The timeout for receiving a request's headers, and for idling between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit of a request's headers in bytes: many times a token in the URL and in a header.
const MAX_HEADER_BYTES: usize = 16 * 1024;

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
pub async fn serve<S, D>(listener: TcpListener, router: Router, stop: Stop<S, D>) -> bool
where
    S: Future<Output = ()>,
    D: Future<Output = ()>,
{
    let connections = HttpConnections::default();
    let mut signal = pin!(stop.signal);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => connections.add(stream, address, &router),
                Err(error) => recover(&error).await,
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
#[derive(Default)]
struct HttpConnections {
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl HttpConnections {
    fn add(&self, stream: TcpStream, address: SocketAddr, router: &Router) {
        // Disables Nagle's algorithm for small frames. A failure only costs latency.
        stream.set_nodelay(true).ok();
        // An IPv4 client of an IPv6 listener is the same client.
        let client = ClientAddress(address.ip().to_canonical());
        self.tasks.spawn(connection(
            stream,
            client,
            router.clone(),
            self.stopping.clone(),
        ));
    }

    /// Answers requests in flight and closes idle connections.
    async fn finish(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn connection(
    stream: TcpStream,
    client: ClientAddress,
    router: Router,
    stopping: CancellationToken,
) {
    let switch = HoldSwitch::default();
    let stream = DeferredWrite::new(stream, switch.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(client);
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(switch.clone());
        }
        // A router is always ready.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Not an error of the server: the client disconnected or sent invalid HTTP.
    if let Err(error) = served {
        tracing::debug!(%error, "connection closed early");
    }
}

/// Handles a failed accept. A client that has already disconnected is ignored; without file
/// descriptors (EMFILE, ENFILE) or memory the loop pauses instead of spinning.
async fn recover(error: &io::Error) {
    let disconnected = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::Interrupted,
    ];
    if !disconnected.contains(&error.kind()) {
        tracing::error!(%error, "accept failed; the limit of open files may be too low");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
