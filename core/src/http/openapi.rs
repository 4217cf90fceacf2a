//! The description of the routes (OpenAPI 3.1), generated from the handlers.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, ToSchema};

use super::App;
use colloquy_proto::protocol::ErrorCode;

/// How long a client may use the document without asking again.
pub(super) const CACHE_CONTROL: &str = "public, max-age=300";

/// The parts that do not depend on the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Colloquy",
        description = "A chat server. The WebSocket protocol is described by `/api/asyncapi.json`, both in words in `docs/protocol.md`.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(ErrorBody, FieldErrorsBody, BadRequestBody)),
    modifiers(&Bearer),
    tags(
        (name = "users", description = "Accounts and sessions"),
        (name = "conversations", description = "Conversations and their members"),
        (name = "messages", description = "Sending, editing, deleting and reading messages"),
        (name = "socket", description = "Live delivery"),
        (name = "health", description = "Health probes")
    )
)]
pub(super) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let components = document.components.get_or_insert_default();
        components
            .security_schemes
            .insert("bearer".to_owned(), SecurityScheme::Http(scheme).into());
    }
}

/// An error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// A sentence for people.
    #[schema(example = "Not found.")]
    detail: String,
    /// A stable code for programs.
    #[schema(example = "not_found")]
    code: ErrorCode,
    /// How long to wait, in milliseconds; with `throttled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<i64>,
    /// The request's id, as in `X-Request-Id`.
    request_id: String,
}

/// The problems of each field: sentences under its name.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldErrorsBody {
    /// Always `invalid`.
    #[schema(example = "invalid")]
    code: String,
    /// The request's id, as in `X-Request-Id`.
    request_id: String,
    #[serde(flatten)]
    fields: BTreeMap<String, Vec<String>>,
}

/// The body of a 400: the invalid fields, or an error of the request as a whole.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a schema only; `error::render` writes the body")]
pub(super) enum BadRequestBody {
    Fields(FieldErrorsBody),
    Request(ErrorBody),
}

/// Adds the responses common to many routes, and serializes the document.
pub(super) fn to_json(mut document: openapi::OpenApi) -> Bytes {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            add_common(path, operation);
        }
    }
    // Serializing strings, numbers and maps cannot fail.
    document.to_json().map(Bytes::from).unwrap_or_default()
}

fn add_common(path: &str, operation: &mut openapi::path::Operation) {
    // Host and body are checked for every method.
    let mut common = vec![
        ErrorCode::InvalidHost,
        ErrorCode::TooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::RequestTimeout,
    ];
    if path.starts_with("/api/") {
        if operation.security.is_some() {
            common.extend([ErrorCode::NotAuthenticated, ErrorCode::Unavailable]);
            common.push(ErrorCode::Throttled);
        }
        if path.contains("{id}") {
            common.extend([ErrorCode::NotMember, ErrorCode::NotFound]);
        }
    }
    if operation.request_body.is_some() {
        common.push(ErrorCode::Unavailable);
    }
    if common.contains(&ErrorCode::Unavailable) {
        common.push(ErrorCode::Internal);
    }
    // Also the status of `unavailable`, which is described first.
    common.push(ErrorCode::Overloaded);
    for code in common {
        let response = || {
            let schema = Ref::from_schema_name("ErrorBody");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let description = match code {
                ErrorCode::Throttled => "The budget for requests of this kind is used up",
                code => super::error::default_detail(code),
            };
            RefOr::T(
                ResponseBuilder::new()
                    .description(description)
                    .content("application/json", content)
                    .build(),
            )
        };
        operation
            .responses
            .responses
            .entry(code.status().to_string())
            .or_insert_with(response);
    }
}

/// This description
///
/// Every route with its parameters, bodies and responses.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "health", operation_id = "openapi",
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json"),
        (status = 304, description = "The client has it, by `If-None-Match`"),
    )
)]
pub(super) async fn document(State(app): State<App>, headers: HeaderMap) -> Response {
    app.documents().openapi.respond(&headers)
}
