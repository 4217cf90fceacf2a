//! The outermost middleware: request id, client address, host check, access log, the body of
//! errors, and the headers of every response.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use super::App;
use super::address::{ClientAddress, client_address};
use super::deadline::{self, RequestDeadline};
use super::error::{self, REQUEST_ID};
use super::headers::single_value;
use super::host_check::check_host;
use colloquy_proto::domain::UserId;

/// The longest accepted request id.
const MAX_ID_CHARS: usize = 64;

/// Facts about a request, for its handler and its log line, collected while it is handled. Stored
/// in the request's extensions.
#[derive(Debug)]
pub(super) struct RequestContext {
    id: String,
    address: Option<IpAddr>,
    route: OnceLock<MatchedPath>,
    user: OnceLock<UserId>,
}

impl RequestContext {
    fn new(app: &App, request: &Request) -> Self {
        let supplied = single_value(request.headers(), &REQUEST_ID).ok().flatten();
        let id = supplied
            .filter(|id| is_request_id(id))
            .map_or_else(|| app.services().random_id(), str::to_owned);
        let address = request
            .extensions()
            .get::<ClientAddress>()
            .map(|peer| client_address(peer.0, request.headers(), &app.settings().trusted_proxies));
        Self {
            id,
            address,
            route: OnceLock::new(),
            user: OnceLock::new(),
        }
    }

    /// The client's address, when the adapter provides it.
    pub(super) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Records the authenticated user for the log. Later calls have no effect.
    pub(super) fn record_user(&self, user: UserId) {
        let _ = self.user.set(user);
    }

    /// Logs one event for the request. The path is logged as the route's template, because a path
    /// may hold anything. The query is not logged, because it may hold a token.
    fn log(&self, method: &Method, status: StatusCode, elapsed_ms: i64) {
        tracing::info!(
            target: "colloquy::api",
            {
                http.method = method.as_str(),
                http.route = self.route.get().map(MatchedPath::as_str),
                http.status = status.as_u16(),
                elapsed_ms,
                client.address = self.address.map(tracing::field::display),
                user.id = self.user.get().map(|user| user.0),
                request.id = self.id,
            },
            "request"
        );
    }
}

/// Middleware around everything else.
pub(super) async fn wrap_request(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = app.services().ports.clock.now();
    let context = Arc::new(RequestContext::new(&app, &request));
    request.extensions_mut().insert(Arc::clone(&context));
    let method = request.method().clone();
    let span = tracing::info_span!("request", request.id = context.id);
    async move {
        let mut response = match check_host(&app, &request) {
            Ok(()) => {
                let deadline = request.extensions_mut().remove::<RequestDeadline>();
                deadline::limit(deadline, next.run(request)).await
            }
            Err(error) => error.into_response(),
        };
        error::render(&mut response, &context.id);
        add_headers(&mut response, &context.id);
        let elapsed_ms = app.services().ports.clock.now().millis_since(started);
        context.log(&method, response.status(), elapsed_ms);
        response
    }
    .instrument(span)
    .await
}

/// Middleware inside the router, where the matched route is available.
pub(super) async fn record_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(context), Some(route)) = (
        extensions.get::<Arc<RequestContext>>(),
        extensions.get::<MatchedPath>(),
    ) {
        // A request matches one route.
        let _ = context.route.set(route.clone());
    }
    next.run(request).await
}

/// Accepts no character that could end a log line or a quotation.
fn is_request_id(text: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn add_headers(response: &mut Response, request_id: &str) {
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers: &mut HeaderMap = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if upgraded {
        return;
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Responses hold private data: tokens, histories.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
