//! Reads a request's body before anything is decided.
//!
//! A server that answers while the body is still coming must close the connection, and a client
//! that is busy sending then sees a reset instead of the answer. So the body is taken in first,
//! and what is too much of it is read on for a while and thrown away.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use bytes::BytesMut;
use futures_util::StreamExt as _;

use super::MAX_BODY_BYTES;
use super::error::{ApiError, ApiResult};
use colloquy_proto::protocol::ErrorCode;

/// How much is read of a body before its sender is cut off, in bytes.
const MAX_READ_BYTES: usize = 16 * MAX_BODY_BYTES;

/// The request with its body read.
pub(super) async fn read_first(request: Request) -> ApiResult<Request> {
    // Without one nothing is touched: an upgrade has to reach its adapter as it came.
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = read(body).await?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

async fn read(body: Body) -> ApiResult<Bytes> {
    // Who announces more than is ever read is told at once; curl and others wait for that.
    if body.size_hint().lower() > MAX_READ_BYTES as u64 {
        return Err(ApiError::new(ErrorCode::TooLarge));
    }
    let mut kept = BytesMut::new();
    let mut length = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| ApiError::with_detail(ErrorCode::Malformed, "The body broke off."))?;
        length += chunk.len();
        if length > MAX_READ_BYTES {
            break;
        }
        if length <= MAX_BODY_BYTES {
            kept.extend_from_slice(&chunk);
        } else {
            kept.clear();
        }
    }
    if length > MAX_BODY_BYTES {
        return Err(ApiError::new(ErrorCode::TooLarge));
    }
    Ok(kept.freeze())
}
