//! One HTTP/1.1 connection: hyper, the router, and one timer for the deadlines of its phases.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use axum::Router;
use colloquy_core::http::ClientAddress;
use hyper::body::Incoming;
use hyper::header::UPGRADE;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::limits::{ConnectionSlot, OpenConnections};
use super::phases::{ConnectionTimeouts, Pressure};
use super::response_budget::ResponseBudget;
use super::watch::{Watch, WatchedStream};
use crate::perf::deferred_write::{DeferredWrite, HoldSwitch};

/// The limit of a request's headers in bytes: many times a token in the URL and in a header.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// What the connections of a server share.
pub(super) struct ConnectionContext {
    pub(super) router: Router,
    pub(super) timeouts: ConnectionTimeouts,
    pub(super) open: Arc<OpenConnections>,
    pub(super) responses: Arc<ResponseBudget>,
    pub(super) stopping: CancellationToken,
}

impl ConnectionContext {
    fn pressure(&self) -> Pressure {
        Pressure {
            connections: self.open.is_scarce(),
            responses: self.responses.is_tight(),
        }
    }
}

/// Serves a connection until it is closed or upgraded.
pub(super) async fn serve(
    stream: TcpStream,
    address: IpAddr,
    slot: ConnectionSlot,
    server: Arc<ConnectionContext>,
) {
    let watch = &Arc::new(Watch::new(server.timeouts));
    let (router, responses) = (&server.router, &server.responses);
    let switch = HoldSwitch::default();
    let stream = WatchedStream::new(stream, Arc::clone(watch), slot);
    let stream = TokioIo::new(DeferredWrite::new(stream, switch.clone()));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (mut head, body) = request.into_parts();
        let (body, deadline) = watch.start_request(body);
        head.extensions.insert(ClientAddress(address));
        head.extensions.insert(deadline);
        if head.headers.contains_key(UPGRADE) {
            head.extensions.insert(switch.clone());
        }
        let method = head.method.clone();
        // A router is always ready.
        let handling = router.clone().call(hyper::Request::from_parts(head, body));
        async move {
            let response = handling.await;
            watch.finish_request();
            response.map(|response| responses.charge(&method, response))
        }
    });
    let connection = http1::Builder::new()
        // The phases include the headers.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(stream, service)
        .with_upgrades();
    let stop = |connection: Pin<&mut _>| UpgradeableConnection::graceful_shutdown(connection);
    match drive(pin!(connection), stop, watch, &server).await {
        Ok(Ok(())) => {}
        // Not an error of the server: the client disconnected or sent invalid HTTP.
        Ok(Err(error)) => tracing::debug!(%error, "connection closed early"),
        Err(TookTooLong(what)) => tracing::debug!(what, "connection closed at its deadline"),
    }
}

/// The client exceeded a deadline by this.
struct TookTooLong(&'static str);

/// Polls the connection, and carries out its deadlines and the shutdown.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    watch: &Watch,
    server: &ConnectionContext,
) -> Result<C::Output, TookTooLong> {
    let mut alarm = pin!(sleep_until(watch.deadline()));
    let mut stopping = pin!(server.stopping.cancelled());
    let mut stopped = false;
    poll_fn(|context| {
        if !stopped && stopping.as_mut().poll(context).is_ready() {
            stopped = true;
            shut_down(connection.as_mut());
            watch.stop();
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(Ok(ended));
            }
            // Moved to an earlier time only. A later deadline is found when the alarm fires, so that a
            // busy connection seldom resets its timer.
            let deadline = watch.deadline();
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(context));
            if let Err(what) = watch.check(server.pressure()) {
                return Poll::Ready(Err(TookTooLong(what)));
            }
            alarm.as_mut().reset(watch.deadline());
            // The connection is polled again: its body or its handler may have been ended.
        }
    })
    .await
}
