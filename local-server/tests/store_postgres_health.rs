//! What a PostgreSQL that refuses its work looks like: health, and the start of a server.

#[path = "support/process.rs"]
mod process;
mod support;

use std::time::{Duration, Instant};

use colloquy_core::ports::{DatabaseProblem, Store as _, StoreError};
use colloquy_core::store::PostgresStore;
use colloquy_local_server::driver::PostgresDriver;
use process::{Server, program, run};
use sqlx::{Connection as _, PgConnection};
use support::{Database, execute};

/// A probe answers within a second; the rest is this machine.
const LIMIT: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn read_only_database_is_reported() {
    let database = Database::migrated().await;
    let url = database.url();
    let name = url.rsplit_once('/').expect("a database").1;
    let sql = format!("alter database {name} set default_transaction_read_only = on");
    execute(&database.url(), &sql).await;
    let outcome = PostgresStore::new(database.driver(1)).probe().await;
    assert!(
        matches!(
            outcome,
            Err(StoreError::Refused(DatabaseProblem::ReadOnly, _))
        ),
        "{outcome:?}"
    );
    database.drop().await;
}

#[tokio::test]
async fn probe_of_a_locked_table_ends_within_a_second() {
    let database = Database::migrated().await;
    let store = PostgresStore::new(database.driver(2));
    store.probe().await.expect("writes");
    let mut other = PgConnection::connect(&database.url())
        .await
        .expect("connects");
    for table in ["messages", "conversations", "write_probe"] {
        let mut transaction = other.begin().await.expect("begins");
        let sql = format!("lock table {table} in exclusive mode");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await
            .expect("locks");
        let started = Instant::now();
        let outcome = store.probe().await;
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{table}: {outcome:?}"
        );
        assert!(
            started.elapsed() < LIMIT,
            "{table}: {:?}",
            started.elapsed()
        );
        transaction.rollback().await.expect("ends");
        store.probe().await.expect("writes again");
    }
    database.drop().await;
}

/// The text of the log names the cause, not the pool.
#[tokio::test]
async fn unreachable_server_is_named_as_the_cause() {
    let driver = PostgresDriver::new("postgres://user@127.0.0.1:9/none", 1).expect("a URL");
    let store = PostgresStore::new(driver);
    let started = Instant::now();
    let error = store.probe().await.expect_err("no server").to_string();
    assert!(error.contains("refused"), "{error}");
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    let error = store.credentials("ada").await.expect_err("no server");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn wrong_password_and_missing_database_end_the_start_at_once() {
    let database = Database::migrated().await;
    let good = database.url();
    let (rest, name) = good.rsplit_once('/').expect("a database");
    let (scheme, rest) = rest.split_once("://").expect("a scheme");
    let (login, address) = rest.split_once('@').expect("a login");
    let user = login.split(':').next().expect("a user");
    for url in [
        format!("{scheme}://{user}:wrong@{address}/{name}"),
        format!("{scheme}://{login}@{address}/colloquy_missing"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let started = Instant::now();
        let (code, _, stderr) = run(program(&folder)
            .env("DATABASE_URL", url)
            .env("SECRET_KEY", "0123456789abcdef0123456789abcdef")
            .env("PORT", "0"));
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains("database rejects the login, or does not exist"),
            "{stderr}"
        );
        assert!(!stderr.contains("wrong"), "{stderr}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
    database.drop().await;
}

#[tokio::test]
async fn second_server_on_a_database_is_logged() {
    let database = Database::migrated().await;
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        Server::start(
            program(&folder)
                .env("DATABASE_URL", database.url())
                .env("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        )
    };
    let (first, second) = (start(), start());
    let logged = |server: Server| {
        server.signal("TERM");
        server
            .wait()
            .1
            .contains("another server uses this database")
    };
    assert!(logged(second));
    assert!(!logged(first));
    database.drop().await;
}
