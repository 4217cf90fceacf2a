//! The store contract over the edge's driver, which is compiled from its own file and runs over TCP
//! instead of Hyperdrive's socket.

#[path = "support/asking.rs"]
mod asking;
#[path = "../../worker/src/driver.rs"]
#[expect(unreachable_pub, reason = "it is written as another crate's module")]
mod driver;
#[path = "support/stored_accounts.rs"]
mod stored_accounts;
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
use support::Database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};

/// Opens TCP connections and counts them.
struct Tcp {
    url: String,
    connections: AtomicUsize,
    timeout: Duration,
}

impl Tcp {
    fn to(url: String) -> Self {
        Self {
            url,
            connections: AtomicUsize::new(0),
            timeout: driver::RUN_TIMEOUT,
        }
    }
}

#[async_trait]
impl Connect for &'static Tcp {
    async fn connect(&self) -> Result<Client, DriverError> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let connected = tokio_postgres::connect(&self.url, NoTls).await;
        let (client, connection) = connected.map_err(|error| driver::driver_error(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn delay(&self, _time: Duration) {
        tokio::time::sleep(self.timeout).await;
    }
}

/// Leaked, since a connection's task may outlive the test.
fn tcp(database: &Database) -> &'static Tcp {
    Box::leak(Box::new(Tcp::to(database.url())))
}

struct EdgeFixture {
    /// As a Room uses it.
    keeping: PostgresStore<TypedDriver<&'static Tcp>>,
    /// As a request uses it.
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
        stored_accounts::deactivate(&self.database, user_id).await;
    }

    async fn forget_keys(&self, user_id: UserId) {
        stored_accounts::forget_keys(&self.database, user_id).await;
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
async fn connection_is_kept_until_it_is_released() {
    let database = Database::create().await;
    let tcp = tcp(&database);
    let driver = TypedDriver::keeping(tcp);
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, []).await.expect("runs");
    }
    assert_eq!(tcp.connections.load(Ordering::Relaxed), 1);
    driver.release();
    run(&driver, Access::Write, &PING, []).await.expect("runs");
    assert_eq!(tcp.connections.load(Ordering::Relaxed), 2);
    let driver = TypedDriver::connecting(tcp);
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, []).await.expect("runs");
    }
    assert_eq!(tcp.connections.load(Ordering::Relaxed), 5);
    database.drop().await;
}

/// A pooler may close a connection between two statements.
#[tokio::test]
async fn read_is_repeated_after_a_kept_connection_was_closed() {
    let database = Database::create().await;
    let (tcp, other) = (tcp(&database), TypedDriver::connecting(tcp(&database)));
    let driver = TypedDriver::keeping(tcp);
    run(&driver, Access::Read, &PING, []).await.expect("runs");
    run(&other, Access::Write, &END_OTHERS, [])
        .await
        .expect("runs");
    let answer = run(&driver, Access::Read, &PING, []).await;
    assert_eq!(answer.expect("runs").as_deref(), Some("pong"));
    assert_eq!(tcp.connections.load(Ordering::Relaxed), 2);
    database.drop().await;
}

#[tokio::test]
async fn unresponsive_database_is_unavailable() {
    let database = Database::create().await;
    let mut short = Tcp::to(database.url());
    short.timeout = Duration::from_millis(200);
    let short: &'static Tcp = Box::leak(Box::new(short));
    let driver = TypedDriver::keeping(short);
    let answer = run(&driver, Access::Read, &SLEEP, []).await;
    assert!(matches!(answer, Err(DriverError::Unavailable(_))));
    // The late response on the old connection is discarded.
    let answer = run(&driver, Access::Read, &PING, []).await;
    assert_eq!(answer.expect("runs").as_deref(), Some("pong"));
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
async fn statement_is_prepared_from_its_second_run_on_a_connection() {
    let database = Database::create().await;
    let driver = TypedDriver::keeping(tcp(&database));
    for kept in ["0", "0", "1", "1"] {
        let answer = run(&driver, Access::Write, &PREPARED, []).await;
        assert_eq!(answer.expect("runs").as_deref(), Some(kept));
    }
    database.drop().await;
}

/// A pooler may not carry prepared statements from one of its connections to another.
#[tokio::test]
async fn statements_run_in_full_after_the_server_lost_a_prepared_one() {
    let database = Database::create().await;
    let driver = TypedDriver::keeping(tcp(&database));
    for _ in 0..3 {
        run(&driver, Access::Write, &PING, []).await.expect("runs");
    }
    run(&driver, Access::Write, &FORGET, [])
        .await
        .expect("runs");
    for _ in 0..3 {
        let answer = run(&driver, Access::Write, &PING, []).await;
        assert_eq!(answer.expect("runs").as_deref(), Some("pong"));
        let kept = run(&driver, Access::Write, &PREPARED, []).await;
        assert_eq!(kept.expect("runs").as_deref(), Some("0"));
    }
    database.drop().await;
}

static KEPT_PLANS: Statement = Statement {
    name: "test/kept",
    text: "select max(generic_plans)::text from pg_prepared_statements \
           where statement like '%insert into messages%'",
};

/// Planning a statement takes longer than running it. Under default settings the server plans five
/// times and then finds that one plan serves every call.
#[tokio::test]
async fn append_is_not_planned_again_from_the_sixth_run_on() {
    let database = Database::migrated().await;
    let store = PostgresStore::new(TypedDriver::keeping(tcp(&database)));
    // A send of an unknown user runs append_one and append_each.
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
        assert_eq!(batch.expect("runs").outcomes, [denied]);
    }
    let answer = run(store.driver(), Access::Read, &KEPT_PLANS, []).await;
    let kept: u32 = answer
        .expect("runs")
        .expect("prepared")
        .parse()
        .expect("a count");
    assert!(kept >= 2, "{kept} of 10 batches were run by a kept plan");
    database.drop().await;
}

/// At the edge a round trip may cross half a continent.
#[tokio::test]
async fn statement_is_one_round_trip() {
    let database = Database::create().await;
    let (url, round_trips) = counted(&database.url()).await;
    let driver = TypedDriver::keeping(&*Box::leak(Box::new(Tcp::to(url))));
    run(&driver, Access::Read, &PING, []).await.expect("runs");
    let before = round_trips.load(Ordering::SeqCst);
    for _ in 0..5 {
        run(&driver, Access::Write, &PING, []).await.expect("runs");
    }
    assert_eq!(round_trips.load(Ordering::SeqCst) - before, 5);
    driver.release();
    database.drop().await;
}

/// The same server behind a proxy that counts the round trips.
async fn counted(url: &str) -> (String, &'static AtomicUsize) {
    let round_trips: &'static AtomicUsize = Box::leak(Box::default());
    let config: tokio_postgres::Config = url.parse().expect("a URL");
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let own = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("connects");
            tokio::spawn(async move {
                let (mut request, mut response) = ([0; 8192], [0; 8192]);
                let mut waiting = false;
                loop {
                    tokio::select! {
                        count = client.read(&mut request) => match count {
                            Ok(count @ 1..) => {
                                round_trips.fetch_add(usize::from(!waiting), Ordering::SeqCst);
                                waiting = true;
                                server.write_all(&request[..count]).await.expect("writes");
                            }
                            _ => return,
                        },
                        count = server.read(&mut response) => match count {
                            Ok(count @ 1..) => {
                                waiting = false;
                                client.write_all(&response[..count]).await.expect("writes");
                            }
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    (
        url.replace(&format!(":{port}"), &format!(":{own}")),
        round_trips,
    )
}
