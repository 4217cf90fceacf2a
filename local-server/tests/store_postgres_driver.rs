//! The PostgreSQL driver: round trips, timeouts, lost connections.

#[path = "support/asking.rs"]
mod asking;
#[path = "support/counting.rs"]
mod counting;
#[path = "support/stalling.rs"]
mod stalling;
mod support;

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use asking::run;
use colloquy_core::ports::{
    AppendOutcome, CachedSummaries, CreatedConversation, CreatedUser, HistoryRange, NewMessage,
    NewSession, Rotation, Store, StoreError,
};
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, DriverError, Statement};
use colloquy_local_server::driver::PostgresDriver;
use colloquy_proto::domain::{
    Caller, ConversationId, ConversationKind, Epoch, MessageText, NewConversation, NewUser,
    Seconds, Seq, SessionId, Timestamp, UserId,
};
use counting::Counting;
use futures_util::future::join_all;
use sqlx::Connection as _;
use stalling::Stalling;
use support::Database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const NOW: Timestamp = Timestamp(1_900_000_000_000);
const LATER: Timestamp = NOW.plus(Seconds(1_000));

static SLEEP: Statement = Statement {
    name: "test/sleep",
    text: "select pg_sleep(30)::text",
};
static NAP: Statement = Statement {
    name: "test/nap",
    text: "select 'late' from pg_sleep(0.3) as nap",
};
static PING: Statement = Statement {
    name: "test/ping",
    text: "select 'pong'::text",
};
static BACKEND: Statement = Statement {
    name: "test/backend",
    text: "select pg_backend_pid()::text",
};
static END_OTHERS: Statement = Statement {
    name: "test/end",
    text: "select count(pg_terminate_backend(pid))::text from pg_stat_activity \
           where datname = current_database() and pid <> pg_backend_pid()",
};

async fn user(store: &dyn Store, name: &str) -> Caller {
    let user = NewUser {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password_hash: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        is_admin: false,
    };
    let CreatedUser::Created(user) = store.create_user(&user, NOW).await.expect("runs") else {
        panic!("{name} was taken");
    };
    let session_id = SessionId(format!("session of {name}").into());
    let session = NewSession {
        id: session_id.clone(),
        user_id: user.id,
        created_at: NOW,
        expires_at: LATER,
        rehashed_password: Some("rehashed".to_owned()),
        device: None,
    };
    assert!(store.open_session(&session).await.expect("runs"));
    Caller {
        user_id: user.id,
        session_id,
        expires_at: LATER,
    }
}

fn send(sender: &Caller, to: ConversationId) -> NewMessage {
    NewMessage {
        conversation_id: to,
        sender_id: sender.user_id,
        session_id: sender.session_id.clone(),
        client_message_id: None,
        message: MessageText::new("hello").expect("a text"),
        reply_to: None,
        mentions: Vec::new(),
        dedup_only: false,
        now: NOW,
    }
}

/// Creates a conversation.
async fn create(store: &dyn Store, caller: &Caller, other: UserId) -> ConversationId {
    let conversation = NewConversation {
        others: vec![other],
        kind: ConversationKind::Direct,
        name: None,
    };
    match store
        .create_conversation(caller, &conversation, NOW)
        .await
        .expect("runs")
        .expect("authorized")
    {
        CreatedConversation::Created(conversation) => conversation.id,
        other => panic!("{other:?}"),
    }
}

/// At the edge a round trip is slow.
#[tokio::test]
async fn use_case_is_one_round_trip() {
    let database = Database::migrated().await;
    let store = PostgresStore::new(Counting::new(database.driver(1)));
    let count = || store.driver().take();
    let ada = user(&store, "ada").await;
    assert_eq!(count(), 2, "create_user and open_session");
    let bob = user(&store, "bob").await;
    count();
    store.credentials("ada").await.expect("runs");
    assert_eq!(count(), 1, "credentials");
    store
        .profile(&ada, NOW)
        .await
        .expect("runs")
        .expect("authorized");
    assert_eq!(count(), 1, "profile");
    let id = create(&store, &ada, bob.user_id).await;
    assert_eq!(count(), 1, "create_conversation");
    for size in [1, 2, 200] {
        let sends: Vec<_> = (0..size).map(|_| send(&ada, id)).collect();
        assert_eq!(
            store.append(&sends).await.expect("runs").outcomes.len(),
            size
        );
        assert_eq!(count(), 1, "append of {size}");
    }
    store
        .conversations(&ada, None, 10, &CachedSummaries::default(), NOW)
        .await
        .expect("runs")
        .expect("authorized");
    assert_eq!(count(), 1, "conversations");
    store
        .conversation(&ada, id, NOW)
        .await
        .expect("runs")
        .expect("authorized");
    assert_eq!(count(), 1, "conversation");
    store
        .position(&ada, id, NOW)
        .await
        .expect("runs")
        .expect("authorized");
    assert_eq!(count(), 1, "position");
    for page in [
        HistoryRange::Latest,
        HistoryRange::Around(colloquy_proto::domain::MessageNumber(50)),
    ] {
        store
            .messages(&ada, id, page, 100, NOW)
            .await
            .expect("runs")
            .expect("authorized");
        assert_eq!(count(), 1, "messages");
    }
    store
        .admit(&ada, id, NOW)
        .await
        .expect("runs")
        .expect("authorized");
    assert_eq!(count(), 1, "admit");
    store
        .events(id, Seq(0), 300)
        .await
        .expect("runs")
        .expect("exists");
    assert_eq!(count(), 1, "events");
    let rotation = Rotation {
        session_id: ada.session_id.clone(),
        user_id: ada.user_id,
        generation: 0,
        now: NOW,
        expires_at: LATER,
        repeatable_since: NOW,
        device: None,
    };
    store.rotate_session(&rotation).await.expect("runs");
    assert_eq!(count(), 1, "rotate_session");
    store
        .revoke_session(ada.user_id, &ada.session_id, NOW)
        .await
        .expect("runs");
    assert_eq!(count(), 1, "revoke_session");
    store.renew_epoch(&Epoch("new".into())).await.expect("runs");
    assert_eq!(count(), 1, "renew_epoch");
    store.probe().await.expect("runs");
    assert_eq!(count(), 1, "probe");
    database.drop().await;
}

/// The server cancels a hanging statement; its connection stays usable.
#[tokio::test]
async fn hanging_statement_is_cancelled() {
    let database = Database::migrated().await;
    let driver = database.driver(1);
    let started = Instant::now();
    let outcome = run(&driver, Access::Write, &SLEEP, []).await;
    assert!(
        matches!(outcome, Err(DriverError::Unavailable(_))),
        "{outcome:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(
        run(&driver, Access::Write, &PING, []).await,
        Ok(Some("pong".to_owned()))
    );
    database.drop().await;
}

/// A statement that waits for a locked row fails in time.
#[tokio::test]
async fn locked_conversation_is_unavailable_in_time() {
    let database = Database::migrated().await;
    let store = PostgresStore::new(database.driver(2));
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    let id = create(&store, &ada, bob.user_id).await;
    let mut connection = store.driver().connect().await.expect("connects");
    let mut holder = connection.begin().await.expect("begins");
    sqlx::query("select from conversations where id = $1 for update")
        .bind(id.0)
        .execute(&mut *holder)
        .await
        .expect("locks");
    let outcome = store.append(&[send(&ada, id)]).await;
    assert!(
        matches!(outcome, Err(StoreError::Unavailable(_))),
        "{outcome:?}"
    );
    // Readers do not wait.
    assert!(store.position(&ada, id, NOW).await.expect("runs").is_ok());
    holder.rollback().await.expect("ends");
    let stored = store.append(&[send(&ada, id)]).await.expect("runs");
    assert!(
        matches!(&stored.outcomes[..], [AppendOutcome::Stored(message)] if message.number.0 == 1)
    );
    database.drop().await;
}

/// A connection that stalls is closed and replaced.
#[tokio::test]
async fn stalled_connection_is_unavailable_and_replaced() {
    let database = Database::migrated().await;
    let (address, url) = through(&database);
    let proxy = Stalling::before(address).await;
    let driver = PostgresDriver::new(&url(proxy.port), 2).expect("a URL");
    assert_eq!(
        run(&driver, Access::Read, &PING, []).await,
        Ok(Some("pong".to_owned()))
    );
    proxy.fall_silent(true);
    for access in [Access::Write, Access::Read] {
        let started = Instant::now();
        let outcome = run(&driver, access, &PING, []).await;
        assert!(
            matches!(outcome, Err(DriverError::Unavailable(_))),
            "{outcome:?}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(9),
            "{:?}",
            started.elapsed()
        );
    }
    proxy.fall_silent(false);
    assert_eq!(
        run(&driver, Access::Write, &PING, []).await,
        Ok(Some("pong".to_owned()))
    );
    database.drop().await;
}

/// The server's address, and the database's URL with another port.
fn through(database: &Database) -> (String, impl Fn(u16) -> String + use<>) {
    let url = database.url();
    let after_scheme = url.find("://").expect("a URL") + 3;
    let at = url[after_scheme..]
        .find('@')
        .map_or(after_scheme, |index| after_scheme + index + 1);
    let end = at + url[at..].find('/').expect("a path");
    let address = url[at..end].to_owned();
    let address = if address.contains(':') {
        address
    } else {
        format!("{address}:5432")
    };
    (address, move |port| {
        format!("{}127.0.0.1:{port}{}", &url[..at], &url[end..])
    })
}

/// A cancelled call leaves no response on the connection for the next one.
#[tokio::test]
async fn response_of_a_cancelled_call_is_discarded() {
    let database = Database::migrated().await;
    let driver = database.driver(1);
    for _ in 0..3 {
        let cancelled = run(&driver, Access::Write, &NAP, []);
        assert!(
            tokio::time::timeout(Duration::from_millis(60), cancelled)
                .await
                .is_err()
        );
        assert_eq!(
            run(&driver, Access::Write, &PING, []).await,
            Ok(Some("pong".to_owned()))
        );
    }
    database.drop().await;
}

/// Closes every other connection, as a restart of the server does, and waits until they are gone.
async fn end_all(other: &PostgresDriver) {
    let others = async || run(other, Access::Write, &END_OTHERS, []).await;
    while others().await != Ok(Some("0".to_owned())) {}
}

/// Opens that many connections, by as many concurrent statements.
async fn open(driver: &PostgresDriver, connections: usize) {
    let naps = (0..connections).map(|_| run(driver, Access::Write, &NAP, []));
    let answers = join_all(naps).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Its memory is warm on both sides.
#[tokio::test]
async fn most_recently_used_connection_is_reused_first() {
    let database = Database::migrated().await;
    let driver = database.driver(4);
    open(&driver, 4).await;
    let mut used = HashSet::new();
    for _ in 0..8 {
        used.insert(
            run(&driver, Access::Write, &BACKEND, [])
                .await
                .expect("runs"),
        );
    }
    assert_eq!(used.len(), 1, "{used:?}");
    database.drop().await;
}

/// A read is repeated when the server has closed all connections.
#[tokio::test]
async fn reads_survive_a_restart_of_the_server() {
    let database = Database::migrated().await;
    let (driver, other) = (database.driver(4), database.driver(1));
    let pong = || Ok(Some("pong".to_owned()));
    open(&driver, 4).await;
    end_all(&other).await;
    assert_eq!(run(&driver, Access::Read, &PING, []).await, pong());
    // The outcome of a write is unknown, which is an error; all later calls succeed.
    open(&driver, 4).await;
    end_all(&other).await;
    let outcome = run(&driver, Access::Write, &PING, []).await;
    assert!(
        matches!(outcome, Err(DriverError::Unavailable(_))),
        "{outcome:?}"
    );
    let answers = join_all((0..4).map(|_| run(&driver, Access::Write, &PING, []))).await;
    assert_eq!(answers, [pong(), pong(), pong(), pong()]);
    database.drop().await;
}

/// A call waits for a connection while the server restarts.
#[tokio::test]
async fn call_waits_while_the_server_is_starting() {
    let database = Database::migrated().await;
    let (address, url) = through(&database);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let driver = PostgresDriver::new(&url(port), 1).expect("a URL");
    let call = run(&driver, Access::Write, &PING, []);
    let started = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Stalling::at(port, address).await
    };
    let (answer, _server) = tokio::join!(call, started);
    assert_eq!(answer, Ok(Some("pong".to_owned())));
    database.drop().await;
}

#[tokio::test]
async fn unreachable_server_is_unavailable() {
    let driver = PostgresDriver::new("postgres://user@127.0.0.1:9/none", 1).expect("a URL");
    let outcome = PostgresStore::new(driver).probe().await;
    assert!(
        matches!(outcome, Err(StoreError::Unavailable(_))),
        "{outcome:?}"
    );
}

/// The server is killed at any point of the handshake.
#[tokio::test]
async fn server_that_closes_during_the_handshake_is_unavailable() {
    for reply in [&b""[..], b"N", b"\0"] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("postgres://user@{address}/none");
        let driver = PostgresDriver::new(&url, 1).expect("a URL");
        let handshake = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            // The SSLRequest, with which every client starts.
            stream.read_exact(&mut [0; 8]).await.expect("a request");
            stream.write_all(reply).await.expect("writes");
        };
        let (answer, ()) = tokio::join!(run(&driver, Access::Write, &PING, []), handshake);
        assert!(
            matches!(answer, Err(DriverError::Unavailable(_))),
            "{answer:?}"
        );
    }
}
