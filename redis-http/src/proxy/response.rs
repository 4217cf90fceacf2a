//! HTTP responses of the proxy: always JSON, errors in the protocol's form.

use axum::http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::connection::ConnectionError;
use crate::codec::{self, CodecError, CommandError, Encoding, Outcome};

/// A status and a JSON body.
#[derive(Debug)]
pub(super) struct JsonResponse {
    status: StatusCode,
    body: Vec<u8>,
}

impl JsonResponse {
    /// An error for the whole request.
    pub(super) fn error(status: StatusCode, text: &str) -> Self {
        Self::encoded(status, codec::encode_error(text))
    }

    /// 400, which Upstash returns for every invalid request or command.
    pub(super) fn bad_request(text: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, text)
    }

    /// The outcome of one command: 200, or 400 when it failed.
    pub(super) fn outcome(outcome: &Outcome, encoding: Encoding) -> Self {
        let status = if outcome.is_ok() {
            StatusCode::OK
        } else {
            StatusCode::BAD_REQUEST
        };
        Self::encoded(status, codec::encode_outcome(outcome, encoding))
    }

    /// The outcomes of several commands: 200, with errors in their entries.
    pub(super) fn outcomes(outcomes: &[Outcome], encoding: Encoding) -> Self {
        Self::encoded(StatusCode::OK, codec::encode_outcomes(outcomes, encoding))
    }

    /// 200: Redis responds.
    pub(super) fn healthy() -> Self {
        Self {
            status: StatusCode::OK,
            body: br#"{"status":"ok"}"#.to_vec(),
        }
    }

    fn encoded(status: StatusCode, body: Result<Vec<u8>, CodecError>) -> Self {
        body.map_or_else(
            |_| Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                body: br#"{"error":"ERR internal"}"#.to_vec(),
            },
            |body| Self { status, body },
        )
    }
}

impl From<CommandError> for JsonResponse {
    fn from(error: CommandError) -> Self {
        Self::bad_request(error.text())
    }
}

/// 503 with the protocol's error body, whose text `@upstash/redis` throws at once. That client
/// retries requests without a response, so closing the connection instead would delay its callers.
impl From<ConnectionError> for JsonResponse {
    fn from(error: ConnectionError) -> Self {
        Self::error(StatusCode::SERVICE_UNAVAILABLE, &format!("ERR {error}"))
    }
}

impl IntoResponse for JsonResponse {
    fn into_response(self) -> Response {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (self.status, [json], self.body).into_response()
    }
}
