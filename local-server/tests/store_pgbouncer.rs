//! The store contract through `PgBouncer` in transaction mode, and what needs a session.

#[path = "support/pgbouncer.rs"]
mod pgbouncer;
#[path = "support/process.rs"]
mod process;
#[path = "support/stored_accounts.rs"]
mod stored_accounts;
mod support;

use async_trait::async_trait;
use colloquy_contract::Fixture;
use colloquy_core::config::DatabasePooler;
use colloquy_core::ports::Store;
use colloquy_core::store::PostgresStore;
use colloquy_local_server::driver::{Backend, PostgresDriver};
use colloquy_local_server::migrate::{SchemaError, check_schema, migrate};
use colloquy_proto::domain::UserId;
use futures_util::future::join_all;
use pgbouncer::PgBouncer;
use process::{Server, program, run};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::Database;

struct PoolerFixture {
    store: PostgresStore<PostgresDriver>,
    other: PostgresStore<PostgresDriver>,
    database: Database,
    _bouncer: PgBouncer,
}

fn name(database: &Database) -> String {
    let url = database.url();
    url.rsplit_once('/').expect("a database").1.to_owned()
}

fn driver(bouncer: &PgBouncer, database: &Database, connections: u32) -> PostgresDriver {
    let url = bouncer.url(&name(database));
    PostgresDriver::behind(DatabasePooler::Transaction, &url, connections).expect("a URL")
}

async fn fixture() -> Box<dyn Fixture> {
    let database = Database::migrated().await;
    let bouncer = PgBouncer::before(&database.url());
    Box::new(PoolerFixture {
        store: PostgresStore::new(driver(&bouncer, &database, 4)),
        other: PostgresStore::new(driver(&bouncer, &database, 4)),
        database,
        _bouncer: bouncer,
    })
}

#[async_trait]
impl Fixture for PoolerFixture {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn other_store(&self) -> &dyn Store {
        &self.other
    }

    async fn deactivate(&self, user_id: UserId) {
        stored_accounts::deactivate(&self.database, user_id).await;
    }

    async fn forget_keys(&self, user_id: UserId) {
        stored_accounts::forget_keys(&self.database, user_id).await;
    }

    async fn close(self: Box<Self>) {
        self.store.driver().close().await;
        self.other.driver().close().await;
        self.database.drop().await;
    }
}

colloquy_contract::store_contract!(super::fixture);

/// Other users of the pool get a connection as it was.
#[tokio::test]
async fn nothing_of_a_session_remains_on_the_connections_of_the_pool() {
    let database = Database::migrated().await;
    let bouncer = PgBouncer::before(&database.url());
    let driver = driver(&bouncer, &database, 8);
    let store = PostgresStore::new(driver.clone());
    let probes = join_all((0..32).map(|_| store.probe())).await;
    assert!(probes.iter().all(Result::is_ok), "{probes:?}");
    let options: PgConnectOptions = bouncer.url(&name(&database)).parse().expect("a URL");
    let options = options.extra_float_digits(None::<i8>);
    let mut other = options.connect().await.expect("connects");
    let mut transaction = other.begin().await.expect("begins");
    for (sql, expected) in [
        ("select current_setting('statement_timeout')", "0"),
        (
            "select count(*)::text from pg_prepared_statements where name <> ''",
            "0",
        ),
    ] {
        let found: String = sqlx::query_scalar(sql)
            .persistent(false)
            .fetch_one(&mut *transaction)
            .await
            .expect("runs");
        assert_eq!(found, expected, "{sql}");
    }
    transaction.rollback().await.expect("ends");
    other.close().await.expect("closes");
    driver.close().await;
    database.drop().await;
}

#[tokio::test]
async fn migrations_need_a_direct_connection() {
    let database = Database::create().await;
    let bouncer = PgBouncer::before(&database.url());
    let backend = Backend::Postgres(driver(&bouncer, &database, 2));
    assert!(matches!(migrate(&backend).await, Err(SchemaError::Pooled)));
    let direct = Backend::Postgres(database.driver(1));
    migrate(&direct).await.expect("migrates");
    migrate(&backend).await.expect("has nothing to do");
    check_schema(&backend).await.expect("is up to date");
    backend.close().await;
    direct.close().await;
    database.drop().await;
}

/// Without the setting a server would fail at every second request.
#[tokio::test]
async fn server_behind_a_pooler_names_the_setting_or_works() {
    let database = Database::migrated().await;
    let bouncer = PgBouncer::before(&database.url());
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program(&folder);
    command
        .env("DATABASE_URL", bouncer.url(&name(&database)))
        .env("SECRET_KEY", "0123456789abcdef0123456789abcdef")
        .env("PORT", "0");
    let (code, _, stderr) = run(&mut command);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("DATABASE_POOLER=transaction"), "{stderr}");
    let server = Server::start(command.env("DATABASE_POOLER", "transaction"));
    std::thread::scope(|scope| {
        let register = |number: usize| {
            let body = format!(
                r#"{{"username":"u{number}","email":"u{number}@example.com","password":"Hidden-Pass-77"}}"#
            );
            server.call("POST", "/api/users/register/", "", &body).0
        };
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || register(n))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 201);
        }
    });
    drop(server);
    database.drop().await;
}
