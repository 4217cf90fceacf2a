//! PostgreSQL databases for tests: each test creates and drops its own.
//!
//! `COLLOQUY_TEST_POSTGRES_URL` names a server and a role that may create databases. Without it
//! these tests fail, because a skipped test would look green.

use std::sync::atomic::{AtomicU32, Ordering};

use colloquy_local_server::driver::{Backend, PostgresDriver};
use colloquy_local_server::migrate::migrate;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An empty database.
pub(crate) struct Database {
    name: String,
    server: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("COLLOQUY_TEST_POSTGRES_URL").expect(
            "COLLOQUY_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a server",
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("colloquy_test_{}_{count}", std::process::id());
        let database = Self { name, server };
        database
            .administer("drop database if exists", "with (force)")
            .await;
        database.administer("create database", "").await;
        database
    }

    /// A database with all migrations applied.
    pub(crate) async fn migrated() -> Self {
        let database = Self::create().await;
        let driver = database.driver(1);
        migrate(&Backend::Postgres(driver.clone()))
            .await
            .expect("migrates");
        driver.close().await;
        database
    }

    pub(crate) fn url(&self) -> String {
        let (address, query) = match self.server.split_once('?') {
            Some((address, query)) => (address, format!("?{query}")),
            None => (self.server.as_str(), String::new()),
        };
        let authority = address.find("://").map_or(0, |index| index + 3);
        let end = address[authority..]
            .find('/')
            .map_or(address.len(), |index| authority + index);
        format!("{}/{}{query}", &address[..end], self.name)
    }

    pub(crate) fn driver(&self, connections: u32) -> PostgresDriver {
        PostgresDriver::new(&self.url(), connections).expect("a URL")
    }

    pub(crate) async fn drop(self) {
        self.administer("drop database if exists", "with (force)")
            .await;
    }

    async fn administer(&self, verb: &str, rest: &str) {
        execute(&self.server, &format!("{verb} {} {rest}", self.name)).await;
    }
}

/// Runs SQL on a separate connection.
pub(crate) async fn execute(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .expect("runs");
    connection.close().await.expect("closes");
}
