//! The routes, and the middleware before them: token, concurrency limit, timeout.
//!
//! | route | body | response |
//! | --- | --- | --- |
//! | `POST /` | one command | its outcome; 400 when it failed |
//! | `POST /pipeline` | commands | 200, one outcome per command |
//! | `POST /multi-exec` | commands | 200, one outcome per command; 400 when nothing ran |
//! | `GET /health` | – | 200 if Redis responds, else 503; needs no token |
//!
//! A handler decodes, calls the connection once, encodes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::RedisConnection;
use super::rejection::reject;
use super::response::JsonResponse;
use super::{Settings, Token};
use crate::codec::{self, Command, Encoding, Outcome};

/// As large as Upstash's own limit on a request.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The maximum of concurrent requests; with the limit on bodies it bounds memory.
const IN_FLIGHT: usize = 256;

/// How long a request may wait for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// From the permit to the response, including a slow upload.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

struct Proxy {
    redis: RedisConnection,
    token: Token,
    permits: Semaphore,
}

/// The proxy's routes over `settings.redis`.
pub(super) fn router(settings: Settings) -> Router {
    let proxy = Arc::new(Proxy {
        redis: RedisConnection::new(settings.redis),
        token: settings.token,
        permits: Semaphore::new(IN_FLIGHT),
    });
    let commands = Router::new()
        .route("/", post(single))
        .route("/pipeline", post(pipeline))
        .route("/multi-exec", post(multi_exec))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&proxy), admit))
        .with_state(Arc::clone(&proxy));
    Router::new()
        .route("/health", get(health))
        .with_state(proxy)
        .merge(commands)
}

async fn single(State(proxy): State<Arc<Proxy>>, call: Call) -> Result<JsonResponse, JsonResponse> {
    let command = codec::decode_command(&call.body).map_err(|error| {
        JsonResponse::bad_request(&format!("ERR failed to parse command: {error}"))
    })?;
    if let Some(rejection) = reject(&command) {
        return Err(rejection.into());
    }
    let outcomes = proxy.redis.run(&[command]).await?;
    Ok(outcomes.first().map_or_else(missing_reply, |outcome| {
        JsonResponse::outcome(outcome, call.encoding)
    }))
}

async fn pipeline(
    State(proxy): State<Arc<Proxy>>,
    call: Call,
) -> Result<JsonResponse, JsonResponse> {
    let commands = call.commands("pipeline")?;
    let rejections: Vec<_> = commands.iter().map(reject).collect();
    let forwarded: Vec<Command> = commands
        .into_iter()
        .zip(&rejections)
        .filter_map(|(command, rejection)| rejection.is_none().then_some(command))
        .collect();
    let replies = if forwarded.is_empty() {
        Vec::new()
    } else {
        proxy.redis.run(&forwarded).await?
    };
    let mut replies = replies.into_iter();
    let outcomes: Option<Vec<Outcome>> = rejections
        .into_iter()
        .map(|rejection| rejection.map_or_else(|| replies.next(), |error| Some(Err(error))))
        .collect();
    Ok(outcomes.map_or_else(missing_reply, |outcomes| {
        JsonResponse::outcomes(&outcomes, call.encoding)
    }))
}

async fn multi_exec(
    State(proxy): State<Arc<Proxy>>,
    call: Call,
) -> Result<JsonResponse, JsonResponse> {
    let commands = call.commands("multi-exec")?;
    if let Some(rejection) = commands.iter().find_map(reject) {
        let text = format!("EXECABORT Transaction discarded because of: {rejection}");
        return Err(JsonResponse::bad_request(&text));
    }
    let outcomes = proxy.redis.transact(&commands).await??;
    Ok(JsonResponse::outcomes(&outcomes, call.encoding))
}

async fn health(State(proxy): State<Arc<Proxy>>) -> Result<JsonResponse, JsonResponse> {
    match proxy.redis.ping().await? {
        Ok(()) => Ok(JsonResponse::healthy()),
        Err(rejected) => Err(JsonResponse::error(
            StatusCode::SERVICE_UNAVAILABLE,
            rejected.text(),
        )),
    }
}

async fn method_not_allowed() -> JsonResponse {
    JsonResponse::error(
        StatusCode::METHOD_NOT_ALLOWED,
        "ERR method not allowed: send a POST",
    )
}

async fn not_found() -> JsonResponse {
    let text = "ERR not found: commands in the path are not served, POST them as a JSON array to /";
    JsonResponse::error(StatusCode::NOT_FOUND, text)
}

/// The response to a missing reply. Not expected: the library returns one reply per command.
fn missing_reply() -> JsonResponse {
    JsonResponse::error(
        StatusCode::BAD_GATEWAY,
        "ERR redis sent fewer replies than commands",
    )
}

/// Checks the token first, so that an unauthenticated request needs no memory, then waits for a
/// permit.
async fn admit(State(proxy): State<Arc<Proxy>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(AUTHORIZATION);
    if !authorization.is_some_and(|value| proxy.token.admits(value.as_bytes())) {
        let text = "Unauthorized: the bearer token is missing or wrong";
        return JsonResponse::error(StatusCode::UNAUTHORIZED, text).into_response();
    }
    let Ok(Ok(_permit)) = timeout(PERMIT_TIMEOUT, proxy.permits.acquire()).await else {
        let text = "ERR too many concurrent requests";
        return JsonResponse::error(StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| {
            let text = "ERR request timeout";
            JsonResponse::error(StatusCode::REQUEST_TIMEOUT, text).into_response()
        })
}

/// A request's body and the encoding of its response.
struct Call {
    encoding: Encoding,
    body: Bytes,
}

impl Call {
    fn commands(&self, route: &str) -> Result<Vec<Command>, JsonResponse> {
        let commands = codec::decode_commands(&self.body).map_err(|error| {
            JsonResponse::bad_request(&format!("ERR failed to parse {route} request: {error}"))
        })?;
        if commands.is_empty() {
            return Err(JsonResponse::bad_request(&format!(
                "ERR empty {route} request"
            )));
        }
        Ok(commands)
    }
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = JsonResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, JsonResponse> {
        let encoding = encoding(request.headers())?;
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection: BytesRejection| {
            let text = format!("ERR {}", rejection.body_text().to_lowercase());
            JsonResponse::error(rejection.status(), &text)
        })?;
        Ok(Self { encoding, body })
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, JsonResponse> {
    let format = headers.get("upstash-response-format");
    if format.is_some_and(|format| format != "json") {
        return Err(JsonResponse::bad_request(
            "ERR Upstash-Response-Format must be json",
        ));
    }
    match headers.get("upstash-encoding") {
        None => Ok(Encoding::Plain),
        Some(encoding) if encoding == "base64" => Ok(Encoding::Base64),
        Some(_) => Err(JsonResponse::bad_request(
            "ERR Upstash-Encoding must be base64",
        )),
    }
}
