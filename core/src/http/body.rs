//! Buffers a request's body before the request is handled.
//!
//! A server that responds while the body is still arriving must close the connection, and a client
//! that is still sending then sees a reset instead of the response. So the body is read first. A
//! body that is too large is discarded, and read on up to a second limit.

use std::error::Error;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use thiserror::Error as ThisError;

use super::error::{ApiError, ApiResult};
use colloquy_proto::protocol::ErrorCode;

/// The largest accepted body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How much of a body that is too large is read before the request is rejected, in bytes.
const MAX_READ_BYTES: usize = 16 * MAX_BODY_BYTES;

/// The error of a body that an adapter has stopped waiting for: it is answered with 408.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[error("the request body did not arrive in time")]
pub struct BodyTimeout;

/// The request with its body in memory.
pub(super) async fn buffer(request: Request) -> ApiResult<Request> {
    // A request without a body stays untouched: an upgrade must reach its adapter unchanged.
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = read(body).await?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

async fn read(body: Body) -> ApiResult<Bytes> {
    // A body announced beyond the read limit is rejected at once; curl and others wait for that
    // response before they send (RFC 9110 §10.1.1).
    if body.size_hint().lower() > MAX_READ_BYTES as u64 {
        return Err(ApiError::new(ErrorCode::TooLarge));
    }
    let mut buffer = BytesMut::new();
    let mut length = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| rejection(&error))?;
        length += chunk.len();
        if length > MAX_READ_BYTES {
            break;
        }
        if length <= MAX_BODY_BYTES {
            buffer.extend_from_slice(&chunk);
        } else {
            buffer.clear();
        }
    }
    if length > MAX_BODY_BYTES {
        return Err(ApiError::new(ErrorCode::TooLarge));
    }
    Ok(buffer.freeze())
}

/// The error for a body that does not arrive completely.
fn rejection(error: &(dyn Error + 'static)) -> ApiError {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    if causes.any(<dyn Error>::is::<BodyTimeout>) {
        return ApiError::new(ErrorCode::RequestTimeout);
    }
    ApiError::with_detail(ErrorCode::Malformed, "The request body is incomplete.")
}
