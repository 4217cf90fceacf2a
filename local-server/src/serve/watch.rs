//! What a connection's parts report to its [`Phases`], and how a deadline reaches them.
//!
//! The stream under hyper reports bytes, the service reports requests, the body reports its end. All
//! run in the connection's task, so the lock is never contended.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use colloquy_core::http::{BodyTimeout, RequestDeadline};
use futures_util::task::AtomicWaker;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::limits::ConnectionSlot;
use super::phases::{ConnectionTimeouts, Phases, Pressure, Verdict};

/// The phases of a connection, shared by its parts.
#[derive(Debug)]
pub(super) struct Watch {
    phases: Mutex<Phases>,
    body: EndedBody,
    deadline: RequestDeadline,
}

/// Whether the body of the current request has been ended.
#[derive(Debug, Default)]
struct EndedBody {
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Watch {
    pub(super) fn new(timeouts: ConnectionTimeouts) -> Self {
        Self {
            phases: Mutex::new(Phases::new(timeouts, Instant::now())),
            body: EndedBody::default(),
            deadline: RequestDeadline::default(),
        }
    }

    fn phases(&self) -> MutexGuard<'_, Phases> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a request. Returns its body, which fails when it takes too long, and its deadline.
    pub(super) fn start_request(self: &Arc<Self>, body: Incoming) -> (Body, RequestDeadline) {
        let has_body = !body.is_end_stream();
        self.phases().request_started(has_body, Instant::now());
        self.body.ended.store(false, Ordering::Relaxed);
        self.deadline.reset();
        let body = if has_body {
            Body::new(WatchedBody {
                body,
                watch: Arc::clone(self),
            })
        } else {
            Body::empty()
        };
        (body, self.deadline.clone())
    }

    /// The response is ready to be written.
    pub(super) fn finish_request(&self) {
        self.phases().request_finished(Instant::now());
    }

    /// The server shuts down.
    pub(super) fn stop(&self) {
        self.phases().stop(Instant::now());
    }

    /// When to call [`Self::check`].
    pub(super) fn deadline(&self) -> Instant {
        self.phases().deadline()
    }

    /// Ends the body or the handler if its time is over. `Err` when the connection must be closed, with
    /// what took too long.
    pub(super) fn check(&self, pressure: Pressure) -> Result<(), &'static str> {
        let verdict = self.phases().check(pressure, Instant::now());
        match verdict {
            Verdict::Wait => {}
            Verdict::EndBody => {
                self.body.ended.store(true, Ordering::SeqCst);
                self.body.waker.wake();
            }
            Verdict::EndHandler => self.deadline.pass(),
            Verdict::Close(reason) => return Err(reason),
        }
        Ok(())
    }
}

/// A request's body that fails with [`BodyTimeout`] when it takes too long.
struct WatchedBody {
    body: Incoming,
    watch: Arc<Watch>,
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(frame) = polled {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let EndedBody { ended, waker } = &self.watch.body;
        waker.register(context.waker());
        if ended.load(Ordering::SeqCst) {
            return Poll::Ready(Some(Err(BodyTimeout.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    /// The reader of the body drops it when it is complete, too long, or failed.
    fn drop(&mut self) {
        self.watch.phases().body_finished(Instant::now());
    }
}

/// The TCP stream under hyper, with its place among the open connections.
pub(crate) struct WatchedStream {
    stream: TcpStream,
    watch: Arc<Watch>,
    slot: ConnectionSlot,
}

impl WatchedStream {
    pub(super) const fn new(stream: TcpStream, watch: Arc<Watch>, slot: ConnectionSlot) -> Self {
        Self {
            stream,
            watch,
            slot,
        }
    }

    /// The stream without its deadlines, for an upgraded connection. It counts as open as long as the
    /// slot is kept.
    pub(crate) fn into_parts(self) -> (TcpStream, ConnectionSlot) {
        (self.stream, self.slot)
    }

    /// Reports the result of a write.
    fn record(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.watch.phases().write_blocked(Instant::now()),
            Poll::Ready(Ok(bytes)) => self.watch.phases().written(*bytes, Instant::now),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.watch.phases().received(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.record(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.record(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
