//! A whole router over fakes, and requests to it. A response whose status is not in the server's own
//! OpenAPI document fails the test.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome, Tokens};
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::{Secret, Settings};
use colloquy_core::counters::InProcessCounters;
use colloquy_core::http::{App, ClientAddress, router};
use colloquy_core::ports::{Cache, Clock, Passwords};
use colloquy_core::service::{Ports, Services};
use colloquy_proto::domain::{Seconds, SessionId, UserId};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::fakes::{Counter, FakeRooms, FakeStore, Inline, ManualClock, ManualTimer, NOW};

pub(crate) const PASSWORD: &str = "s3cretPassw0rd";

static HASH: LazyLock<String> = LazyLock::new(|| {
    let job = PasswordJob::Hash {
        password: Password::new(PASSWORD.to_owned()),
        salt: [3; 16],
    };
    match job.run(&mut HashMemory::default()) {
        PasswordOutcome::Hashed(hash) => hash,
        _ => panic!("not hashed"),
    }
});

pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) rooms: Arc<FakeRooms>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tokens: Arc<Tokens>,
    document: Value,
}

pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_passwords(settings, Arc::new(Inline)).await
    }

    pub(crate) async fn with_passwords(
        settings: &[(&str, &str)],
        passwords: Arc<dyn Passwords>,
    ) -> Self {
        let given: HashMap<_, _> = settings.iter().copied().collect();
        let settings =
            Settings::read(|name| given.get(name).map(|value| (*value).to_owned())).unwrap();
        let store = Arc::new(FakeStore::default());
        store.password_hash.lock().unwrap().clone_from(&HASH);
        let rooms = Arc::new(FakeRooms::default());
        let clock = Arc::new(ManualClock(AtomicI64::new(NOW.0)));
        let cache: Arc<dyn Cache> = Arc::new(InProcess::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            1 << 20,
        ));
        let secret = Secret::new("a key of more than 32 bytes, all of it");
        let tokens = Arc::new(Tokens::new(&secret, &[], Seconds(900), Seconds(604_800)));
        let recent = Arc::new(RecentHistory::new(
            Arc::clone(&cache),
            Arc::clone(&clock) as Arc<dyn Clock>,
        ));
        let ports = Ports {
            store: store.clone(),
            cache,
            rooms: rooms.clone(),
            passwords,
            counters: Arc::new(InProcessCounters::new(clock.clone(), 1_000)),
            clock: clock.clone(),
            timer: Arc::new(ManualTimer(clock.clone())),
            rng: Arc::new(Counter::default()),
        };
        let services = Services::new(
            ports,
            recent,
            tokens.clone(),
            settings.attempts,
            settings.members,
        );
        let router = router(App::new(Arc::new(settings), Arc::new(services)));
        let mut server = Self {
            router,
            store,
            rooms,
            clock,
            tokens,
            document: Value::Null,
        };
        server.document = server.get("/api/openapi.json").await.json();
        server
    }

    /// An access token of the user Ann.
    pub(crate) fn token(&self) -> String {
        self.tokens
            .issue_access(UserId(1), &SessionId("s1".into()), NOW)
            .0
    }

    pub(crate) fn refresh_token(&self, generation: i64) -> String {
        self.tokens
            .issue_refresh(UserId(1), &SessionId("s1".into()), generation, NOW)
            .0
    }

    /// Sends a request, with a `Host` header if it has none.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> TestResponse {
        request
            .extensions_mut()
            .insert(ClientAddress([192, 0, 2, 1].into()));
        self.send_without_address(request).await
    }

    /// As from a client whose address the host does not know.
    pub(crate) async fn send_without_address(&self, mut request: Request<Body>) -> TestResponse {
        let host = HeaderValue::from_static("localhost:8000");
        request.headers_mut().entry(HOST).or_insert(host);
        self.send_unchanged(request).await
    }

    pub(crate) async fn send_unchanged(&self, request: Request<Body>) -> TestResponse {
        let method = request.method().as_str();
        // Methods are case-sensitive (RFC 9110 §9.1): `PoST` is not in the document.
        let method = if method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            method.to_lowercase()
        } else {
            String::new()
        };
        let path = request.uri().path().to_owned();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        let response = TestResponse {
            status: parts.status,
            headers: parts.headers,
            text,
        };
        self.check_described(&method, &path, &response);
        assert!(
            !response.header("x-request-id").is_empty(),
            "a response without a request id"
        );
        response
    }

    /// INVARIANT: every status that a route returns is in its description.
    fn check_described(&self, method: &str, path: &str, response: &TestResponse) {
        let path = if path.ends_with('/') || path.contains('.') {
            path.to_owned()
        } else {
            format!("{path}/")
        };
        let segments: Vec<&str> = path.split('/').collect();
        let described = self.document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .find(|(template, _)| {
                let template: Vec<&str> = template.split('/').collect();
                let matches = |(one, other): (&&str, &&str)| one == other || one.starts_with('{');
                template.len() == segments.len() && template.iter().zip(&segments).all(matches)
            });
        let Some(operation) = described.and_then(|(_, item)| item.get(method)) else {
            return;
        };
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.contains_key(response.status.as_str()),
            "{method} {path} does not describe {}: {}",
            response.status,
            response.text
        );
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// As Ann.
    pub(crate) async fn get_as_ann(&self, path: &str) -> TestResponse {
        let request =
            Request::get(path).header("authorization", format!("Bearer {}", self.token()));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> TestResponse {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// As Ann.
    pub(crate) async fn post_as_ann(&self, path: &str, body: impl Into<Body>) -> TestResponse {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token()));
        self.send(request.body(body.into()).unwrap()).await
    }
}
