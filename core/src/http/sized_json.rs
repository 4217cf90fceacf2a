//! JSON responses of known length.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use colloquy_proto::protocol::ErrorCode;

/// A JSON response that is text already.
pub(super) struct JsonText(pub(super) String);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], self.0).into_response()
    }
}

/// A JSON response that may be tens of kilobytes long, serialized into a buffer of its final size.
/// axum's `Json` starts with 128 bytes and copies the text at every doubling.
pub(super) struct SizedJson<T> {
    pub(super) value: T,
    /// The expected length of the text in bytes; a little too much is better than too little.
    pub(super) capacity: usize,
}

impl<T: Serialize> IntoResponse for SizedJson<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(self.capacity);
        match serde_json::to_writer(&mut text, &self.value) {
            Ok(()) => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], text).into_response()
            }
            Err(error) => {
                ApiError::with_cause(ErrorCode::Internal, error.to_string()).into_response()
            }
        }
    }
}
