//! What an operation costs: statements to PostgreSQL and pipelines to the cache, counted where
//! they leave the process.

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
use colloquy_core::http;
use colloquy_core::ports::{
    Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock, CreatedConversation, Rooms,
    Store,
};
use colloquy_core::service::{Ports, Services};
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, Driver, DriverError, Step};
use colloquy_local_server::clock::{SystemClock, SystemRng};
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

/// What stands in the way of both, when a test wants to see them meet or wait.
#[derive(Default)]
struct Gates {
    /// Everyone passes at once, and only together.
    meeting: RwLock<Option<Arc<Barrier>>>,
    /// CachedSummaries for writing, no statement passes.
    statements: RwLock<()>,
}

impl Gates {
    async fn meet(&self) {
        let meeting = self.meeting.read().await.clone();
        if let Some(meeting) = meeting {
            meeting.wait().await;
        }
    }
}

struct Watched {
    driver: Arc<Counting<PostgresDriver>>,
    gates: Arc<Gates>,
}

#[async_trait]
impl Driver for Watched {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        self.gates.meet().await;
        drop(self.gates.statements.read().await);
        self.driver.run(access, steps).await
    }
}

struct WatchedCache {
    cache: InProcess,
    pipelines: AtomicUsize,
    gates: Arc<Gates>,
}

#[async_trait]
impl Cache for WatchedCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        self.pipelines.fetch_add(1, Ordering::Relaxed);
        self.gates.meet().await;
        self.cache.pipeline(commands).await
    }

    fn kind(&self) -> CacheKind {
        self.cache.kind()
    }
}

struct World {
    database: support::Database,
    driver: Arc<Counting<PostgresDriver>>,
    cache: Arc<WatchedCache>,
    gates: Arc<Gates>,
    store: Arc<dyn Store>,
    rooms: LocalRooms,
    router: axum::Router,
    tokens: Arc<Tokens>,
}

impl World {
    async fn new() -> Self {
        let database = support::Database::migrated().await;
        let settings = Settings::read(|name| match name {
            "SECRET_KEY" => Some("a key for nothing but this test, 32 bytes".to_owned()),
            _ => None,
        });
        let settings = Arc::new(settings.expect("settings"));
        let gates = Arc::new(Gates::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let driver = Arc::new(Counting::new(database.driver(4)));
        let watched = Watched {
            driver: Arc::clone(&driver),
            gates: Arc::clone(&gates),
        };
        let store: Arc<dyn Store> = Arc::new(PostgresStore::new(watched));
        let cache = Arc::new(WatchedCache {
            cache: InProcess::new(Arc::clone(&clock), 1024 * 1024),
            pipelines: AtomicUsize::new(0),
            gates: Arc::clone(&gates),
        });
        let recent = Arc::new(RecentHistory::new(
            Arc::clone(&cache) as Arc<dyn Cache>,
            Arc::clone(&clock),
        ));
        let secret =
            colloquy_core::config::Secret::new("a key for nothing but this test, 32 bytes");
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
            clock,
            rng: Arc::new(SystemRng),
        };
        let services = Services::new(ports, recent, Arc::clone(&tokens), settings.attempts);
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

    /// Sets both counters to nothing and says what they were: statements, pipelines.
    fn cost(&self) -> (usize, usize) {
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
        let made = self
            .store
            .create_conversation(caller, &wanted, SystemClock.now())
            .await;
        match made.expect("answers").expect("granted") {
            CreatedConversation::Created(conversation) => conversation.id,
            other => panic!("not made: {other:?}"),
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

    /// Nothing is under way: the cache is told, too.
    async fn settled(&self) {
        within("the cache is not told", || {
            self.cache.pipelines.load(Ordering::Relaxed) > 0
        })
        .await;
    }

    async fn end(self) {
        self.rooms.shutdown().await;
        self.database.drop().await;
    }
}

async fn within(fault: &str, done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waited).await;
    assert!(waited.is_ok(), "{fault}");
}

/// Lets everything that can go on do so; on one thread that takes a few turns.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_login_is_a_statement_before_the_hash_and_one_after() {
    let world = World::new().await;
    world.account("ann").await;
    world.cost();
    let body = r#"{"username":"ann","password":"correct-horse-9"}"#;
    let (status, _) = world.call("POST", "/api/users/login/", "", body).await;
    // The attempt is counted before the hash, and taken back when it was none.
    assert_eq!((status, world.cost()), (StatusCode::OK, (2, 2)));
    let body = r#"{"username":"ann","password":"not-my-password"}"#;
    let (status, _) = world.call("POST", "/api/users/login/", "", body).await;
    assert_eq!((status, world.cost()), (StatusCode::UNAUTHORIZED, (1, 1)));
    world.end().await;
}

#[tokio::test]
async fn a_send_is_a_statement_and_a_pipeline_whatever_the_batch() {
    let world = World::new().await;
    let (ann, _, chat) = world.ann_and_a_chat().await;
    world.cost();
    world.send(&ann, chat, 1_000).await;
    world.settled().await;
    assert_eq!(world.cost(), (1, 1), "the first of a Room that was asleep");

    // One send is one statement. While it is held up, 99 more gather and make one together.
    let held = world.gates.statements.write().await;
    let first = world.send(&ann, chat, 0);
    let (first, rest, ()) = tokio::join!(
        first,
        async {
            settle().await;
            join_all((1..100).map(|id| world.send(&ann, chat, id))).await
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
    world.settled().await;
    world.rooms.shutdown().await;
    let (statements, pipelines) = world.cost();
    assert_eq!(statements, 2);
    assert!(
        (1..=2).contains(&pipelines),
        "{pipelines} pipelines for two commits"
    );
    world.end().await;
}

#[tokio::test]
async fn a_room_stays_a_little_for_who_comes_back_and_then_goes() {
    let world = World::new().await;
    let (ann, _, chat) = world.ann_and_a_chat().await;
    world.send(&ann, chat, 1).await;
    world.settled().await;
    settle().await;
    assert_eq!(world.rooms.live(), 1, "it is gone at once");
    within("it stays though nobody comes", || world.rooms.live() == 0).await;
    world.end().await;
}

#[tokio::test]
async fn a_room_that_only_stays_does_not_hold_up_the_end() {
    let world = World::new().await;
    let (ann, _, chat) = world.ann_and_a_chat().await;
    world.send(&ann, chat, 1).await;
    world.settled().await;
    assert_eq!(world.rooms.live(), 1);
    // Half of what it would stay.
    let end = tokio::time::timeout(Duration::from_secs(1), world.rooms.shutdown()).await;
    assert!(end.is_ok(), "the end waits for a Room that nobody needs");
    world.end().await;
}

#[tokio::test]
async fn a_cached_history_is_a_statement_and_a_pipeline_at_once() {
    let world = World::new().await;
    let (ann, token, chat) = world.ann_and_a_chat().await;
    world.cost();
    world.send(&ann, chat, 1).await;
    world.settled().await;
    let path = format!("/api/chat/conversations/{chat}/messages/");
    world.cost();
    // Each waits for the other: one after the other would wait for ever.
    *world.gates.meeting.write().await = Some(Arc::new(Barrier::new(2)));
    let read = world.call("GET", &path, &token, "");
    let (status, history) = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("both at once");
    assert_eq!((status, world.cost()), (StatusCode::OK, (1, 1)));
    assert_eq!(history["source"], "cache");
    assert_eq!(history["messages"][0]["content"], "hello");
    *world.gates.meeting.write().await = None;
    world.end().await;
}
