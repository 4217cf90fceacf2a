//! What stands around every request: its id, its client's address, the look at the host it asks
//! for, its line in the log, the body of its error, and the headers every response has.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use super::address::{ClientAddress, client_address};
use super::{App, error, gate};
use colloquy_proto::domain::UserId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id a request may bring.
const MAX_ID_CHARS: usize = 64;

/// What is known of a request, filled in as it is found out; in the request's extensions.
#[derive(Debug)]
pub(super) struct Context {
    id: String,
    address: Option<IpAddr>,
    route: OnceLock<MatchedPath>,
    user: OnceLock<UserId>,
}

impl Context {
    /// The client's address, when the adapter knows it.
    pub(super) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Notes who asks, for the log.
    pub(super) fn note_user(&self, user: UserId) {
        // Asked twice, it is the same.
        let _ = self.user.set(user);
    }
}

/// Goes around everything.
pub(super) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = app.services().ports.clock.now();
    let context = Arc::new(context(&app, &request));
    request.extensions_mut().insert(Arc::clone(&context));
    let method = request.method().clone();
    let span = tracing::info_span!("request", request.id = context.id);
    async move {
        let mut response = match gate::check_host(&app, &request) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        };
        error::render(&mut response, &context.id);
        add_headers(&mut response, &context.id);
        let elapsed_ms = app.services().ports.clock.now().millis_since(started);
        log(&context, &method, response.status(), elapsed_ms);
        response
    }
    .instrument(span)
    .await
}

fn context(app: &App, request: &Request) -> Context {
    let brought = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok());
    let id = brought
        .filter(|id| is_id(id))
        .map_or_else(|| app.services().random_id(), str::to_owned);
    let address = request
        .extensions()
        .get::<ClientAddress>()
        .map(|peer| client_address(peer.0, request.headers(), &app.settings().trusted_proxies));
    Context {
        id,
        address,
        route: OnceLock::new(),
        user: OnceLock::new(),
    }
}

/// Nothing that could end a line, close a quotation or fill a disk.
fn is_id(text: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn add_headers(response: &mut Response, id: &str) {
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers: &mut HeaderMap = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if upgraded {
        return;
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers are somebody's own: tokens, histories.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// One event a request. The path is the route's template: the real one may hold anything, and
/// the query a token.
fn log(context: &Context, method: &Method, status: StatusCode, elapsed_ms: i64) {
    tracing::info!(
        target: "colloquy::api",
        {
            http.method = method.as_str(),
            http.route = context.route.get().map(MatchedPath::as_str),
            http.status = status.as_u16(),
            elapsed_ms,
            user.id = context.user.get().map(|user| user.0),
            request.id = context.id,
        },
        "request"
    );
}

/// Inside the router, where the route is known.
pub(super) async fn note_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(context), Some(route)) = (
        extensions.get::<Arc<Context>>(),
        extensions.get::<MatchedPath>(),
    ) {
        // A request matches one route.
        let _ = context.route.set(route.clone());
    }
    next.run(request).await
}
