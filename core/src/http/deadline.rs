//! The deadline of a request, kept by the adapter.
//!
//! Core reads no clock. An adapter that limits how long a request is handled puts a
//! [`RequestDeadline`] into the request's extensions and calls [`RequestDeadline::pass`]. The
//! handler is then dropped, as when a client disconnects, and the request is answered with 503.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::response::{IntoResponse as _, Response};
use futures_util::task::AtomicWaker;

use super::error::ApiError;
use colloquy_proto::protocol::ErrorCode;

/// Whether the deadline of the current request has passed. An HTTP/1.1 connection handles one request
/// at a time, so its requests may share one.
#[derive(Debug, Clone, Default)]
pub struct RequestDeadline(Arc<DeadlineState>);

#[derive(Debug, Default)]
struct DeadlineState {
    passed: AtomicBool,
    waker: AtomicWaker,
}

impl RequestDeadline {
    /// Ends the handling of the current request.
    pub fn pass(&self) {
        self.0.passed.store(true, Ordering::SeqCst);
        self.0.waker.wake();
    }

    /// Starts the next request.
    pub fn reset(&self) {
        self.0.passed.store(false, Ordering::SeqCst);
    }

    fn poll_passed(&self, context: &Context<'_>) -> Poll<()> {
        self.0.waker.register(context.waker());
        if self.0.passed.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// The response of `handling`, or 503 when the deadline passes first.
pub(super) async fn limit(
    deadline: Option<RequestDeadline>,
    handling: impl Future<Output = Response>,
) -> Response {
    let Some(deadline) = deadline else {
        return handling.await;
    };
    let mut handling = pin!(handling);
    let limited = poll_fn(|context| match handling.as_mut().poll(context) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => deadline.poll_passed(context).map(|()| None),
    });
    limited.await.unwrap_or_else(|| {
        ApiError::with_cause(
            ErrorCode::Unavailable,
            "the handler exceeded its deadline".to_owned(),
        )
        .into_response()
    })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use axum::http::StatusCode;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn passed_deadline_ends_the_handling() {
        let deadline = RequestDeadline::default();
        let mut handling = pin!(limit(Some(deadline.clone()), pending()));
        assert!(handling.as_mut().now_or_never().is_none());
        deadline.pass();
        let response = handling.now_or_never().expect("a response");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        deadline.reset();
        let finished = ready(StatusCode::NO_CONTENT.into_response());
        let response = limit(Some(deadline), finished).now_or_never();
        assert_eq!(
            response.expect("a response").status(),
            StatusCode::NO_CONTENT
        );
    }
}
