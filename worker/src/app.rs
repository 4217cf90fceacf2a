//! Composition root: selects the implementations behind core's ports, once per isolate.
//!
//! The shared state outlives a request and therefore holds no connection. It is built from the
//! environment, which is the same for all requests of an isolate.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use colloquy_core::auth::Tokens;
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::{SecretKey, Settings, similar_setting};
use colloquy_core::http::{self, ClientAddress};
use colloquy_core::ports::{Cache, Clock};
use colloquy_core::service::{Ports, Services};
use colloquy_core::store::PostgresStore;
use colloquy_redis_http::RedisCache;
use futures_util::FutureExt as _;
use tower::ServiceExt as _;
use worker::js_sys::{JSON, Object, Reflect};
use worker::wasm_bindgen::JsCast as _;
use worker::{Env, HttpRequest};

use crate::clock::{EdgeClock, EdgeRng, EdgeTimer};
use crate::counters::EdgeCounters;
use crate::driver::TypedDriver;
use crate::hyperdrive::Database;
use crate::logging;
use crate::passwords::InlinePasswords;
use crate::rooms::EdgeRooms;

/// The header with the client's address, set by the platform. Without a usable one the client has no
/// address, as far as rate limits are concerned.
const CLIENT_ADDRESS: &str = "cf-connecting-ip";

/// The state shared by the requests and rooms of an isolate.
pub(crate) struct IsolateState {
    pub(crate) recent: Arc<RecentHistory>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) throttle_ms: i64,
    router: Router,
}

/// The state of this isolate, built on first use.
pub(crate) fn shared(env: &Env) -> Result<&'static IsolateState, &'static str> {
    static SHARED: OnceLock<Result<IsolateState, String>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let built = build(env);
            if let Err(reason) = &built {
                tracing::error!(reason, "invalid configuration");
            }
            built
        })
        .as_ref()
        .map_err(String::as_str)
}

/// Handles one request.
pub(crate) async fn serve(request: HttpRequest, env: &Env) -> Response<Body> {
    #[cfg(feature = "faults")]
    if let Some(status) = crate::faults::serve(request.uri().path(), env).await {
        return empty_response(status);
    }
    let Ok(shared) = shared(env) else {
        // The reason is only logged, because it may contain a setting's value.
        return empty_response(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let address: Option<IpAddr> = request
        .headers()
        .get(CLIENT_ADDRESS)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let mut request = request.map(Body::new);
    if let Some(address) = address {
        request.extensions_mut().insert(ClientAddress(address));
    }
    // Nothing that a panic may leave half changed outlives a request.
    let response = AssertUnwindSafe(shared.router.clone().oneshot(request)).catch_unwind();
    match response.await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!("request panicked");
            empty_response(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn build(env: &Env) -> Result<IsolateState, String> {
    let settings = Settings::read(|name| lookup(env, name));
    // Logging starts first, so that configuration errors are logged.
    let directives = settings
        .as_ref()
        .map_or("info", |settings| &settings.log_filter);
    logging::start(directives);
    let settings = Arc::new(settings.map_err(|error| error.to_string())?);
    log_warnings(env, &settings);
    let clock: Arc<dyn Clock> = Arc::new(EdgeClock);
    let tokens = Arc::new(tokens(&settings)?);
    let cache: Arc<dyn Cache> = match &settings.redis {
        Some(redis) => {
            Arc::new(RedisCache::new(redis, Arc::clone(&clock)).map_err(|error| error.to_string())?)
        }
        None => Arc::new(InProcess::new(
            Arc::clone(&clock),
            InProcess::DEFAULT_CAPACITY,
        )),
    };
    let recent = Arc::new(RecentHistory::new(Arc::clone(&cache), Arc::clone(&clock)));
    let database = Database::of(env).map_err(|error| error.to_string())?;
    let ports = Ports {
        store: Arc::new(PostgresStore::new(TypedDriver::connecting(database))),
        cache,
        rooms: Arc::new(EdgeRooms::of(env).map_err(|error| error.to_string())?),
        passwords: Arc::new(InlinePasswords::default()),
        counters: Arc::new(
            EdgeCounters::of(env, Arc::clone(&clock)).map_err(|error| error.to_string())?,
        ),
        clock,
        timer: Arc::new(EdgeTimer),
        rng: Arc::new(EdgeRng),
    };
    let services = Services::new(
        ports,
        Arc::clone(&recent),
        Arc::clone(&tokens),
        settings.attempts,
        settings.members,
    );
    let throttle_ms = settings.throttle_ms;
    let router = http::router(http::App::new(settings, Arc::new(services)));
    Ok(IsolateState {
        recent,
        tokens,
        throttle_ms,
        router,
    })
}

/// A variable or secret of the Worker. The database comes from the Hyperdrive binding.
fn lookup(env: &Env, name: &str) -> Option<String> {
    match name {
        "DATABASE_URL" => Some("postgres://hyperdrive".to_owned()),
        "LOG_DIR" => Some(String::new()),
        _ => variable(env, name),
    }
}

/// The text of a variable. A number, a boolean or a list of the configuration file is read as JSON,
/// so that it is used or reported, and not ignored.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &name.into()).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value
        .as_string()
        .or_else(|| JSON::stringify(&value).ok()?.as_string())
}

/// Logs what is accepted but probably not meant, and variables that resemble a setting.
fn log_warnings(env: &Env, settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    for name in Object::keys(env.unchecked_ref::<Object>())
        .iter()
        .filter_map(|name| name.as_string())
    {
        if let Some(meant) = similar_setting(&name) {
            tracing::warn!("{name} is no setting; {meant} is");
        }
    }
}

fn tokens(settings: &Settings) -> Result<Tokens, String> {
    match &settings.secret_key {
        SecretKey::Given(secret) => Ok(Tokens::new(
            secret,
            &settings.previous_secret_keys,
            settings.access_token,
            settings.refresh_token,
        )),
        SecretKey::CreateBeside(_) => {
            Err("SECRET_KEY must be set: the edge cannot store a generated key".to_owned())
        }
    }
}
