//! The memory of responses that clients have not read yet.
//!
//! A response waits in memory until the kernel has taken it. The budget counts the bytes of large
//! ones over all connections. When they exceed [`TIGHT`], clients that do not read are closed sooner
//! ([`super::phases`]); beyond [`FULL`], further large responses are replaced with 503. Small
//! responses are bounded by the number of connections.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Method, Response};
use bytes::Bytes;
use colloquy_core::http::replace_with_overloaded;
use hyper::body::{Body as _, Frame, SizeHint};

/// A response up to this length is not counted, in bytes.
const SMALL: usize = 16 * 1024;

/// Unsent bytes beyond which clients that do not read are closed sooner.
const TIGHT: usize = 64 * 1024 * 1024;

/// Unsent bytes beyond which large responses are refused.
const FULL: usize = 2 * TIGHT;

/// The unsent bytes of all large responses of a server.
#[derive(Debug, Default)]
pub(super) struct ResponseBudget {
    unsent: AtomicUsize,
}

impl ResponseBudget {
    /// Whether clients that do not read are closed sooner.
    pub(super) fn is_tight(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) > TIGHT
    }

    /// The response with its bytes counted until they are sent, or 503 in its place. The response to a
    /// request that has changed something is never replaced.
    pub(super) fn charge(
        self: &Arc<Self>,
        method: &Method,
        mut response: Response<Body>,
    ) -> Response<Body> {
        let hint = response.body().size_hint();
        if hint.upper().is_some_and(|length| length <= SMALL as u64) {
            return response;
        }
        if method.is_safe() && self.unsent.load(Ordering::Relaxed) > FULL {
            replace_with_overloaded(&mut response);
            return response;
        }
        let budget = Arc::clone(self);
        response.map(|body| Body::new(ChargedBody { body, budget }))
    }
}

/// A body whose pieces are counted until they are dropped, which is when they have been sent.
struct ChargedBody {
    body: Body,
    budget: Arc<ResponseBudget>,
}

impl hyper::body::Body for ChargedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let charge = |bytes| Bytes::from_owner(ChargedBytes::new(bytes, Arc::clone(&self.budget)));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(charge))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct ChargedBytes {
    bytes: Bytes,
    budget: Arc<ResponseBudget>,
}

impl ChargedBytes {
    fn new(bytes: Bytes, budget: Arc<ResponseBudget>) -> Self {
        budget.unsent.fetch_add(bytes.len(), Ordering::Relaxed);
        Self { bytes, budget }
    }
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for ChargedBytes {
    fn drop(&mut self) {
        let length = self.bytes.len();
        self.budget.unsent.fetch_sub(length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::StatusCode;

    use super::*;

    fn response(length: usize) -> Response<Body> {
        Response::new(Body::from(vec![b'x'; length]))
    }

    #[tokio::test]
    async fn large_response_counts_until_its_bytes_are_dropped() {
        let budget = Arc::new(ResponseBudget::default());
        let charged = budget.charge(&Method::GET, response(SMALL + 1));
        let bytes = to_bytes(charged.into_body(), usize::MAX).await.unwrap();
        assert_eq!(bytes.len(), SMALL + 1);
        assert_eq!(budget.unsent.load(Ordering::Relaxed), SMALL + 1);
        drop(bytes);
        assert_eq!(budget.unsent.load(Ordering::Relaxed), 0);
        let small = budget.charge(&Method::GET, response(SMALL));
        let bytes = to_bytes(small.into_body(), usize::MAX).await.unwrap();
        assert_eq!(
            (bytes.len(), budget.unsent.load(Ordering::Relaxed)),
            (SMALL, 0)
        );
    }

    #[tokio::test]
    async fn full_budget_refuses_large_responses_of_safe_requests() {
        let budget = Arc::new(ResponseBudget::default());
        budget.unsent.store(FULL + 1, Ordering::Relaxed);
        let status = |method: &Method, length| budget.charge(method, response(length)).status();
        assert!(budget.is_tight());
        assert_eq!(status(&Method::GET, SMALL), StatusCode::OK);
        assert_eq!(status(&Method::POST, SMALL + 1), StatusCode::OK);
        let refused = budget.charge(&Method::GET, response(SMALL + 1));
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        let body = to_bytes(refused.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("\"overloaded\""));
    }
}
