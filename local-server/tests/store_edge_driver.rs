//! The edge's driver, held to the store contract here, where a database is at hand: it is compiled
//! from its own file and given TCP instead of Hyperdrive's socket.

#[path = "support/asking.rs"]
mod asking;
#[path = "../../worker/src/driver.rs"]
#[expect(unreachable_pub, reason = "it is written as another crate's module")]
mod driver;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asking::run;
use async_trait::async_trait;
use colloquy_contract::Fixture;
use colloquy_core::ports::{AppendOutcome, Denied, Store};
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, DriverError, Statement};
use colloquy_proto::domain::{
    ConversationId, MessageText, NewMessage, SessionId, Timestamp, UserId,
};
use driver::{Connect, TypedDriver};
use support::{Database, execute};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};

/// TCP connections, counted.
struct Tcp {
    url: String,
    made: AtomicUsize,
    patience: Duration,
}

impl Tcp {
    fn to(url: String) -> Self {
        let (made, patience) = (AtomicUsize::new(0), driver::RUN_TIMEOUT);
        Self {
            url,
            made,
            patience,
        }
    }
}

#[async_trait]
impl Connect for &'static Tcp {
    async fn connect(&self) -> Result<Client, DriverError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let connected = tokio_postgres::connect(&self.url, NoTls).await;
        let (client, connection) = connected.map_err(|error| driver::driver_error(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn delay(&self, _time: Duration) {
        tokio::time::sleep(self.patience).await;
    }
}

/// Lives as long as the test's process, which is what a future that may outlive its caller needs.
fn tcp(database: &Database) -> &'static Tcp {
    Box::leak(Box::new(Tcp::to(database.url())))
}

struct EdgeFixture {
    /// As a Room has it.
    keeping: PostgresStore<TypedDriver<&'static Tcp>>,
    /// As a request has it.
    connecting: PostgresStore<TypedDriver<&'static Tcp>>,
    database: Database,
}

async fn fixture() -> Box<dyn Fixture> {
    let database = Database::migrated().await;
    Box::new(EdgeFixture {
        keeping: PostgresStore::new(TypedDriver::keeping(tcp(&database))),
        connecting: PostgresStore::new(TypedDriver::connecting(tcp(&database))),
        database,
    })
}

#[async_trait]
impl Fixture for EdgeFixture {
    fn store(&self) -> &dyn Store {
        &self.keeping
    }

    fn other_store(&self) -> &dyn Store {
        &self.connecting
    }

    async fn deactivate(&self, user_id: UserId) {
        let sql = format!("update users set is_active = false where id = {user_id}");
        execute(&self.database.url(), &sql).await;
    }

    async fn close(self: Box<Self>) {
        self.database.drop().await;
    }
}

colloquy_contract::store_contract!(super::fixture);

static PING: Statement = Statement {
    name: "test/ping",
    text: "select 'pong'::text",
};
static SLEEP: Statement = Statement {
    name: "test/sleep",
    text: "select 'late' from pg_sleep(30) as sleep",
};
static END_OTHERS: Statement = Statement {
    name: "test/end",
    text: "select count(pg_terminate_backend(pid))::text from pg_stat_activity \
           where datname = current_database() and pid <> pg_backend_pid()",
};

#[tokio::test]
async fn a_connection_is_kept_until_it_is_released() {
    let database = Database::create().await;
    let tcp = tcp(&database);
    let driver = TypedDriver::keeping(tcp);
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, [])
            .await
            .expect("answers");
    }
    assert_eq!(tcp.made.load(Ordering::Relaxed), 1);
    driver.release();
    run(&driver, Access::Write, &PING, [])
        .await
        .expect("answers");
    assert_eq!(tcp.made.load(Ordering::Relaxed), 2);
    let driver = TypedDriver::connecting(tcp);
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, [])
            .await
            .expect("answers");
    }
    assert_eq!(tcp.made.load(Ordering::Relaxed), 5);
    database.drop().await;
}

/// A pool between this and the server may close what it likes between two statements.
#[tokio::test]
async fn a_read_survives_a_kept_connection_that_ended() {
    let database = Database::create().await;
    let (tcp, other) = (tcp(&database), TypedDriver::connecting(tcp(&database)));
    let driver = TypedDriver::keeping(tcp);
    run(&driver, Access::Read, &PING, [])
        .await
        .expect("answers");
    run(&other, Access::Write, &END_OTHERS, [])
        .await
        .expect("ends");
    let answer = run(&driver, Access::Read, &PING, []).await;
    assert_eq!(answer.expect("answers").as_deref(), Some("pong"));
    assert_eq!(tcp.made.load(Ordering::Relaxed), 2);
    database.drop().await;
}

#[tokio::test]
async fn a_database_that_is_silent_is_unavailable() {
    let database = Database::create().await;
    let mut impatient = Tcp::to(database.url());
    impatient.patience = Duration::from_millis(200);
    let impatient: &'static Tcp = Box::leak(Box::new(impatient));
    let driver = TypedDriver::keeping(impatient);
    let answer = run(&driver, Access::Read, &SLEEP, []).await;
    assert!(matches!(answer, Err(DriverError::Unavailable(_))));
    // What is still asked on the old connection is nobody's answer.
    let answer = run(&driver, Access::Read, &PING, []).await;
    assert_eq!(answer.expect("answers").as_deref(), Some("pong"));
    database.drop().await;
}

static PREPARED: Statement = Statement {
    name: "test/prepared",
    text: "select count(*)::text from pg_prepared_statements",
};
static FORGET: Statement = Statement {
    name: "test/forget",
    text: "deallocate all",
};

#[tokio::test]
async fn what_comes_again_on_a_connection_is_kept_by_the_server() {
    let database = Database::create().await;
    let driver = TypedDriver::keeping(tcp(&database));
    for kept in ["0", "0", "1", "1"] {
        let answer = run(&driver, Access::Write, &PREPARED, []).await;
        assert_eq!(answer.expect("answers").as_deref(), Some(kept));
    }
    database.drop().await;
}

/// As a pool does that does not carry statements over from one of its connections to another.
#[tokio::test]
async fn a_server_that_forgets_is_asked_in_full_from_then_on() {
    let database = Database::create().await;
    let driver = TypedDriver::keeping(tcp(&database));
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, [])
            .await
            .expect("answers");
    }
    run(&driver, Access::Write, &FORGET, [])
        .await
        .expect("forgets");
    for _ in 0..3 {
        let answer = run(&driver, Access::Write, &PING, []).await;
        assert_eq!(answer.expect("answers").as_deref(), Some("pong"));
        let kept = run(&driver, Access::Write, &PREPARED, []).await;
        assert_eq!(kept.expect("answers").as_deref(), Some("0"));
    }
    database.drop().await;
}

static PLANS: Statement = Statement {
    name: "test/plans",
    text: "select current_setting('plan_cache_mode')",
};
static PLAN_AS_YOU_LIKE: Statement = Statement {
    name: "test/plan",
    text: "select set_config('plan_cache_mode', 'auto', false)",
};
static KEPT_PLANS: Statement = Statement {
    name: "test/kept",
    text: "select max(generic_plans)::text from pg_prepared_statements \
           where statement like '%insert into messages%'",
};

/// Planning a batch takes longer than storing it. A migrated database plans once; and where its
/// role's settings do not hold, the server finds by itself that one plan serves every batch.
#[tokio::test]
async fn a_batch_is_not_planned_again() {
    let database = Database::migrated().await;
    let store = PostgresStore::new(TypedDriver::keeping(tcp(&database)));
    let answer = run(store.driver(), Access::Read, &PLANS, []).await;
    assert_eq!(
        answer.expect("answers").as_deref(),
        Some("force_generic_plan")
    );
    let answer = run(store.driver(), Access::Read, &PLAN_AS_YOU_LIKE, []).await;
    assert_eq!(answer.expect("answers").as_deref(), Some("auto"));
    // Nobody's send is judged by the same statement.
    let send = NewMessage {
        conversation_id: ConversationId(1),
        sender_id: UserId(1),
        session_id: SessionId("s".into()),
        client_message_id: None,
        message: MessageText::new("hello".to_owned()).expect("a text"),
        reply_to: None,
        mentions: Vec::new(),
        dedup_only: false,
        now: Timestamp(1),
    };
    for _ in 0..10 {
        let batch = store.append(std::slice::from_ref(&send)).await;
        let denied = AppendOutcome::Denied(Denied::Session);
        assert_eq!(batch.expect("answers").outcomes, [denied]);
    }
    let answer = run(store.driver(), Access::Read, &KEPT_PLANS, []).await;
    let kept: u32 = answer
        .expect("answers")
        .expect("prepared")
        .parse()
        .expect("a count");
    assert!(
        kept >= 2,
        "{kept} of 10 batches were stored by a plan that was kept"
    );
    database.drop().await;
}

/// At the edge a round trip may be half a continent.
#[tokio::test]
async fn a_statement_is_one_round_trip() {
    let database = Database::create().await;
    let (url, turns) = counted(&database.url()).await;
    let driver = TypedDriver::keeping(&*Box::leak(Box::new(Tcp::to(url))));
    run(&driver, Access::Read, &PING, [])
        .await
        .expect("answers");
    let before = turns.load(Ordering::SeqCst);
    for _ in 0..5 {
        run(&driver, Access::Write, &PING, [])
            .await
            .expect("answers");
    }
    assert_eq!(turns.load(Ordering::SeqCst) - before, 5);
    driver.release();
    database.drop().await;
}

/// The same server behind a proxy that counts how often the client spoke and then waited.
async fn counted(url: &str) -> (String, &'static AtomicUsize) {
    let turns: &'static AtomicUsize = Box::leak(Box::default());
    let config: tokio_postgres::Config = url.parse().expect("a URL");
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let own = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("up");
            tokio::spawn(async move {
                let (mut question, mut answer) = ([0; 8192], [0; 8192]);
                let mut asking = false;
                loop {
                    tokio::select! {
                        count = client.read(&mut question) => match count {
                            Ok(count @ 1..) => {
                                turns.fetch_add(usize::from(!asking), Ordering::SeqCst);
                                asking = true;
                                server.write_all(&question[..count]).await.expect("takes it");
                            }
                            _ => return,
                        },
                        count = server.read(&mut answer) => match count {
                            Ok(count @ 1..) => {
                                asking = false;
                                client.write_all(&answer[..count]).await.expect("takes it");
                            }
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    (url.replace(&format!(":{port}"), &format!(":{own}")), turns)
}
