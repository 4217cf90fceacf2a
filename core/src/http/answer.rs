//! Answers that may be long.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use colloquy_proto::protocol::ErrorCode;

/// JSON that may be tens of kilobytes, written into memory that is there before: axum's `Json`
/// begins with 128 bytes and copies all it has each time it needs twice as much.
pub(super) struct Long<T> {
    pub(super) value: T,
    /// How long the text will be about, in bytes; best a little more.
    pub(super) about: usize,
}

impl<T: Serialize> IntoResponse for Long<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(self.about);
        match serde_json::to_writer(&mut text, &self.value) {
            Ok(()) => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], text).into_response()
            }
            Err(error) => {
                ApiError::caused_by(ErrorCode::Internal, error.to_string()).into_response()
            }
        }
    }
}
