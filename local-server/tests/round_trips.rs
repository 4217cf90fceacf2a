//! The cost of an operation: statements to PostgreSQL and pipelines to the cache, counted at the
//! ports.

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use colloquy_core::auth::Tokens;
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::Settings;
use colloquy_core::counters::InProcessCounters;
use colloquy_core::http;
use colloquy_core::ports::{
    Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock, CreatedConversation, Rooms,
    Store,
};
use colloquy_core::service::{Ports, Services};
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, Driver, DriverError, Step};
use colloquy_local_server::clock::{SystemClock, SystemRng, TokioTimer};
use colloquy_local_server::driver::PostgresDriver;
use colloquy_local_server::passwords::BlockingPasswords;
use colloquy_local_server::rooms::LocalRooms;
use colloquy_proto::domain::{
    AppendOutcome, Caller, ClientMessageId, ConversationId, ConversationKind, MessageText,
    NewConversation, Seconds, SendOutcome, UserId,
};
use colloquy_proto::protocol::SendCommand;
use counting::Counting;
use futures_util::future::join_all;
use tokio::sync::{Barrier, RwLock};
use tower::ServiceExt as _;

/// Holds back statements and pipelines.
#[derive(Default)]
struct Gates {
    /// When set, calls proceed only when all of them have arrived.
    barrier: RwLock<Option<Arc<Barrier>>>,
    /// While it is locked for writing, no statement proceeds.
    statements: RwLock<()>,
}

impl Gates {
    async fn pass(&self) {
        let barrier = self.barrier.read().await.clone();
        if let Some(barrier) = barrier {
            barrier.wait().await;
        }
    }
}

struct GatedDriver {
    driver: Arc<Counting<PostgresDriver>>,
    gates: Arc<Gates>,
}

#[async_trait]
impl Driver for GatedDriver {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        self.gates.pass().await;
        drop(self.gates.statements.read().await);
        self.driver.run(access, steps).await
    }
}

struct GatedCache {
    cache: InProcess,
    pipelines: AtomicUsize,
    gates: Arc<Gates>,
}

#[async_trait]
impl Cache for GatedCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        self.pipelines.fetch_add(1, Ordering::Relaxed);
        self.gates.pass().await;
        self.cache.pipeline(commands).await
    }

    fn kind(&self) -> CacheKind {
        self.cache.kind()
    }
}

struct CountedServer {
    database: support::Database,
    driver: Arc<Counting<PostgresDriver>>,
    cache: Arc<GatedCache>,
    gates: Arc<Gates>,
    store: Arc<dyn Store>,
    rooms: LocalRooms,
    router: axum::Router,
    tokens: Arc<Tokens>,
}

impl CountedServer {
    async fn new() -> Self {
        let database = support::Database::migrated().await;
        let settings = Settings::read(|name| match name {
            "SECRET_KEY" => Some("a key for nothing but this test of 32 bytes".to_owned()),
            _ => None,
        });
        let settings = Arc::new(settings.expect("settings"));
        let gates = Arc::new(Gates::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let driver = Arc::new(Counting::new(database.driver(4)));
        let gated_driver = GatedDriver {
            driver: Arc::clone(&driver),
            gates: Arc::clone(&gates),
        };
        let store: Arc<dyn Store> = Arc::new(PostgresStore::new(gated_driver));
        let cache = Arc::new(GatedCache {
            cache: InProcess::new(Arc::clone(&clock), 1024 * 1024),
            pipelines: AtomicUsize::new(0),
            gates: Arc::clone(&gates),
        });
        let recent = Arc::new(RecentHistory::new(
            Arc::clone(&cache) as Arc<dyn Cache>,
            Arc::clone(&clock),
        ));
        let secret =
            colloquy_core::config::Secret::new("a key for nothing but this test of 32 bytes");
        let tokens = Arc::new(Tokens::new(&secret, &[], Seconds(900), Seconds(9_000)));
        let rooms = LocalRooms::new(
            Arc::clone(&store),
            Arc::clone(&recent),
            Arc::clone(&tokens),
            Arc::clone(&clock),
            0,
            2,
        );
        let ports = Ports {
            store: Arc::clone(&store),
            cache: Arc::clone(&cache) as Arc<dyn Cache>,
            rooms: Arc::new(rooms.clone()),
            passwords: Arc::new(BlockingPasswords::new(1)),
            counters: Arc::new(InProcessCounters::new(Arc::clone(&clock), 1_000)),
            clock,
            timer: Arc::new(TokioTimer),
            rng: Arc::new(SystemRng),
        };
        let services = Services::new(
            ports,
            recent,
            Arc::clone(&tokens),
            settings.attempts,
            settings.members,
        );
        let router = http::router(http::App::new(settings, Arc::new(services)));
        Self {
            database,
            driver,
            cache,
            gates,
            store,
            rooms,
            router,
            tokens,
        }
    }

    /// Resets both counters and returns them: statements, pipelines.
    fn take_cost(&self) -> (usize, usize) {
        (
            self.driver.take(),
            self.cache.pipelines.swap(0, Ordering::Relaxed),
        )
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> (StatusCode, serde_json::Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("never fails");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Registers and logs in over HTTP: the caller and the access token.
    async fn account(&self, name: &str) -> (Caller, String) {
        let body = format!(
            r#"{{"username":"{name}","email":"{name}@example.com","password":"correct-horse-9"}}"#
        );
        let (status, _) = self.call("POST", "/api/users/register/", "", &body).await;
        assert_eq!(status, StatusCode::CREATED);
        let (_, answer) = self.call("POST", "/api/users/login/", "", &body).await;
        let access = answer["access"].as_str().expect("a token").to_owned();
        let caller = self
            .tokens
            .verify_access(&access, SystemClock.now())
            .expect("valid");
        (caller, access)
    }

    /// Ann, her access token, and her conversation with Bob.
    async fn ann_and_a_chat(&self) -> (Caller, String, ConversationId) {
        let (ann, token) = self.account("ann").await;
        let (bob, _) = self.account("bob").await;
        let chat = self.conversation(&ann, bob.user_id).await;
        (ann, token, chat)
    }

    async fn conversation(&self, caller: &Caller, other: UserId) -> ConversationId {
        let wanted = NewConversation {
            others: vec![other],
            kind: ConversationKind::Direct,
            name: None,
        };
        let created = self
            .store
            .create_conversation(caller, &wanted, SystemClock.now())
            .await;
        match created.expect("runs").expect("authorized") {
            CreatedConversation::Created(conversation) => conversation.id,
            other => panic!("not created: {other:?}"),
        }
    }

    async fn send(&self, caller: &Caller, chat: ConversationId, id: usize) -> SendOutcome {
        let send = SendCommand {
            client_message_id: Some(ClientMessageId::new(format!("m{id}")).expect("an id")),
            message: MessageText::new("hello").expect("a text"),
            reply_to: None,
            mentions: Vec::new(),
        };
        self.rooms.send(chat, caller, send).await
    }

    /// Waits until the cache was written.
    async fn cache_written(&self) {
        within("the cache is not written", || {
            self.cache.pipelines.load(Ordering::Relaxed) > 0
        })
        .await;
    }

    async fn shut_down(self) {
        self.rooms.shutdown().await;
        self.database.drop().await;
    }
}

async fn within(failure: &str, done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waited).await;
    assert!(waited.is_ok(), "{failure}");
}

/// Lets every ready task run; the tests have one thread.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn login_costs_a_statement_before_the_hash_and_one_after() {
    let server = CountedServer::new().await;
    server.account("ann").await;
    server.take_cost();
    let body = r#"{"username":"ann","password":"correct-horse-9"}"#;
    let (status, _) = server.call("POST", "/api/users/login/", "", body).await;
    // The attempt is counted in this process.
    assert_eq!((status, server.take_cost()), (StatusCode::OK, (2, 0)));
    let body = r#"{"username":"ann","password":"not-my-password"}"#;
    let (status, _) = server.call("POST", "/api/users/login/", "", body).await;
    assert_eq!(
        (status, server.take_cost()),
        (StatusCode::UNAUTHORIZED, (1, 0))
    );
    server.shut_down().await;
}

#[tokio::test]
async fn batch_costs_one_statement_and_one_pipeline_of_any_size() {
    let server = CountedServer::new().await;
    let (ann, _, chat) = server.ann_and_a_chat().await;
    server.take_cost();
    server.send(&ann, chat, 1_000).await;
    server.cache_written().await;
    assert_eq!(server.take_cost(), (1, 1), "the first send of a new Room");

    // One send is one statement. While it is held back, 99 more form one batch.
    let held = server.gates.statements.write().await;
    let first = server.send(&ann, chat, 0);
    let (first, rest, ()) = tokio::join!(
        first,
        async {
            settle().await;
            join_all((1..100).map(|id| server.send(&ann, chat, id))).await
        },
        async {
            settle().await;
            settle().await;
            drop(held);
        }
    );
    assert!(
        std::iter::once(first)
            .chain(rest)
            .all(|outcome| matches!(outcome, SendOutcome::Appended(AppendOutcome::Stored(_))))
    );
    server.cache_written().await;
    server.rooms.shutdown().await;
    let (statements, pipelines) = server.take_cost();
    assert_eq!(statements, 2);
    assert!(
        (1..=2).contains(&pipelines),
        "{pipelines} pipelines for two commits"
    );
    server.shut_down().await;
}

#[tokio::test]
async fn empty_room_lingers_and_is_then_dropped() {
    let server = CountedServer::new().await;
    let (ann, _, chat) = server.ann_and_a_chat().await;
    server.send(&ann, chat, 1).await;
    server.cache_written().await;
    settle().await;
    assert_eq!(server.rooms.live(), 1, "it is dropped at once");
    within("it is not dropped", || server.rooms.live() == 0).await;
    server.shut_down().await;
}

#[tokio::test]
async fn lingering_room_does_not_delay_shutdown() {
    let server = CountedServer::new().await;
    let (ann, _, chat) = server.ann_and_a_chat().await;
    server.send(&ann, chat, 1).await;
    server.cache_written().await;
    assert_eq!(server.rooms.live(), 1);
    // Half of the linger.
    let shutdown = tokio::time::timeout(Duration::from_secs(1), server.rooms.shutdown()).await;
    assert!(shutdown.is_ok(), "shutdown waits for a lingering Room");
    server.shut_down().await;
}

#[tokio::test]
async fn cached_history_costs_a_concurrent_statement_and_pipeline() {
    let server = CountedServer::new().await;
    let (ann, token, chat) = server.ann_and_a_chat().await;
    server.take_cost();
    server.send(&ann, chat, 1).await;
    server.cache_written().await;
    let path = format!("/api/chat/conversations/{chat}/messages/");
    server.take_cost();
    // Each waits for the other, so the test fails if they run one after the other.
    *server.gates.barrier.write().await = Some(Arc::new(Barrier::new(2)));
    let read = server.call("GET", &path, &token, "");
    let (status, history) = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("both at once");
    assert_eq!((status, server.take_cost()), (StatusCode::OK, (1, 1)));
    assert_eq!(history["source"], "cache");
    assert_eq!(history["messages"][0]["content"], "hello");
    *server.gates.barrier.write().await = None;
    server.shut_down().await;
}
