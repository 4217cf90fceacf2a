//! From a listening socket to the router, and to an orderly end.
//!
//! Owns connections: their limits, the client's address, accepting whatever happens, and
//! stopping. hyper is driven directly because `axum::serve` offers no limits on headers, neither
//! on their size nor on how slowly they come. Adds no route and reads no request.

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

/// How long a request's headers may take, and how long a connection may idle between requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);

/// The most bytes of a request's headers: a token in the URL and one in a header fit many times.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// How long accepting pauses when the process has no file descriptor left.
const WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(100);

/// What an adapter must do between the last accept and the end.
pub struct Stop<S, D> {
    /// Resolves when the process is told to stop.
    pub signal: S,
    /// Ends what outlives a request: the Rooms and their sockets.
    pub drain: D,
    /// The most time both the drain and open requests may take.
    pub within: Duration,
}

/// Serves until told to stop, then: accepts nothing more, drains, and waits for open requests.
/// Returns whether all of it ended in time.
pub async fn serve<S, D>(listener: TcpListener, router: Router, stop: Stop<S, D>) -> bool
where
    S: Future<Output = ()>,
    D: Future<Output = ()>,
{
    let connections = Connections::default();
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
    // Closes the port: a balancer sees at once that it has to send people elsewhere.
    drop(listener);
    let end = async { tokio::join!(stop.drain, connections.finish()) };
    timeout(stop.within, end).await.is_ok()
}

/// The connections that have not become sockets of a Room.
#[derive(Default)]
struct Connections {
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Connections {
    fn add(&self, stream: TcpStream, address: SocketAddr, router: &Router) {
        // Frames are small and must not wait for the next one; without it they are only slower.
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

    /// Lets every request that has begun be answered; idle connections are closed.
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
        .header_read_timeout(HEADERS_WITHIN)
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
    // A client that breaks off or speaks no HTTP is its own affair.
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// After an accept that failed. A client that is gone already concerns nobody; without file
/// descriptors (EMFILE, ENFILE) or memory, trying again at once would only burn time.
async fn recover(error: &io::Error) {
    let gone = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::Interrupted,
    ];
    if !gone.contains(&error.kind()) {
        tracing::error!(%error, "no connection could be accepted; is the limit of open files too low?");
        tokio::time::sleep(WITHOUT_DESCRIPTORS).await;
    }
}
