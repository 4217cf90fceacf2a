//! The store contract over SQLite files, and the SQLite driver's own tests.

use std::path::Path;

use async_trait::async_trait;
use colloquy_contract::Fixture;
use colloquy_core::ports::Store;
use colloquy_core::store::SqliteStore;
use colloquy_core::store::driver::{Access, Driver as _, DriverError, Param, Statement, Step};
use colloquy_local_server::driver::{Backend, SqliteDriver};
use colloquy_local_server::migrate::{SchemaError, check_schema, migrate};
use colloquy_proto::domain::UserId;
use tempfile::TempDir;

struct SqliteFixture {
    store: SqliteStore<SqliteDriver>,
    other: SqliteStore<SqliteDriver>,
    _folder: TempDir,
}

async fn open(path: &Path) -> SqliteDriver {
    SqliteDriver::open(path, 4).await.expect("opens")
}

async fn fixture() -> Box<dyn Fixture> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.sqlite3");
    let (driver, other) = (open(&path).await, open(&path).await);
    migrate(&Backend::Sqlite(driver.clone()))
        .await
        .expect("migrates");
    Box::new(SqliteFixture {
        store: SqliteStore::new(driver),
        other: SqliteStore::new(other),
        _folder: folder,
    })
}

#[async_trait]
impl Fixture for SqliteFixture {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn other_store(&self) -> &dyn Store {
        &self.other
    }

    async fn deactivate(&self, user_id: UserId) {
        sqlx::query("update users set is_active = 0 where id = ?1")
            .bind(user_id.0)
            .execute(&mut self.store.driver().connect().await.expect("opens"))
            .await
            .expect("deactivates");
    }

    async fn forget_keys(&self, user_id: UserId) {
        let sql = "update users set username_caseless = null, email_caseless = null where id = ?1";
        sqlx::query(sql)
            .bind(user_id.0)
            .execute(&mut self.store.driver().connect().await.expect("opens"))
            .await
            .expect("forgets");
    }

    async fn close(self: Box<Self>) {
        self.store.driver().close().await;
        self.other.driver().close().await;
    }
}

colloquy_contract::store_contract!(super::fixture);

mod schema {
    use super::*;

    #[tokio::test]
    async fn new_file_has_no_tables_until_migrated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/chat.sqlite3");
        let backend = Backend::Sqlite(open(&path).await);
        assert!(matches!(
            check_schema(&backend).await,
            Err(SchemaError::Missing)
        ));
        migrate(&backend).await.expect("migrates");
        check_schema(&backend).await.expect("is up to date");
        migrate(&backend).await.expect("migrates twice");
        backend.store().probe().await.expect("runs");
        backend.close().await;
    }

    #[tokio::test]
    async fn newer_older_changed_and_unfinished_schemas_are_rejected() {
        let folder = tempfile::tempdir().expect("a folder");
        let driver = open(&folder.path().join("chat.sqlite3")).await;
        let backend = Backend::Sqlite(driver.clone());
        migrate(&backend).await.expect("migrates");
        let run = async |sql: &'static str| {
            sqlx::query(sql)
                .execute(&mut driver.connect().await.expect("opens"))
                .await
                .expect("runs");
        };
        run(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (9999, 'later', 1, x'00', 0)",
        )
        .await;
        assert!(matches!(
            check_schema(&backend).await,
            Err(SchemaError::Newer { found: 9999, .. })
        ));
        assert!(matches!(
            migrate(&backend).await,
            Err(SchemaError::Newer { .. })
        ));
        run("delete from _sqlx_migrations where version = 9999").await;
        run("update _sqlx_migrations set success = 0 where version = 1").await;
        assert!(matches!(
            check_schema(&backend).await,
            Err(SchemaError::Unfinished(1))
        ));
        run("update _sqlx_migrations set success = 1, checksum = x'00' where version = 1").await;
        assert!(matches!(
            check_schema(&backend).await,
            Err(SchemaError::Changed(1))
        ));
        assert!(matches!(
            migrate(&backend).await,
            Err(SchemaError::Changed(1))
        ));
        run("delete from _sqlx_migrations").await;
        assert!(matches!(
            check_schema(&backend).await,
            Err(SchemaError::Older { found: 0, .. })
        ));
        backend.close().await;
    }
}

mod driver {
    use super::*;

    #[tokio::test]
    async fn database_in_memory_serves_readers() {
        let backend = Backend::Sqlite(SqliteDriver::in_memory().await.expect("opens"));
        migrate(&backend).await.expect("migrates");
        check_schema(&backend).await.expect("is up to date");
        assert!(
            backend
                .store()
                .credentials("unknown")
                .await
                .expect("runs")
                .is_none()
        );
    }

    static SYNCHRONOUS: Statement = Statement {
        name: "test/synchronous",
        text: "select cast(synchronous as text) from pragma_synchronous",
    };
    static KEYS: Statement = Statement {
        name: "test/keys",
        text: "select cast(foreign_keys as text) from pragma_foreign_keys",
    };
    static JOURNAL: Statement = Statement {
        name: "test/journal",
        text: "select journal_mode from pragma_journal_mode",
    };
    static RENAME: Statement = Statement {
        name: "test/rename",
        text: "update instance set epoch = ?1 returning epoch",
    };
    static WRONG: Statement = Statement {
        name: "test/wrong",
        text: "select json(?1)",
    };
    static EPOCH: Statement = Statement {
        name: "test/epoch",
        text: "select epoch from instance",
    };

    async fn read(driver: &SqliteDriver, access: Access, statement: &'static Statement) -> String {
        let answers = driver.run(access, &[Step::new(statement, [])]).await;
        answers.expect("runs").remove(0).expect("a row")
    }

    #[tokio::test]
    async fn commits_are_synced_and_foreign_keys_enforced() {
        let folder = tempfile::tempdir().expect("a folder");
        let driver = open(&folder.path().join("chat.sqlite3")).await;
        assert_eq!(read(&driver, Access::Write, &SYNCHRONOUS).await, "2");
        assert_eq!(read(&driver, Access::Write, &KEYS).await, "1");
        assert_eq!(read(&driver, Access::Write, &JOURNAL).await, "wal");
        driver.close().await;
    }

    /// After a failure the connection is usable; after the close every call fails.
    #[tokio::test]
    async fn batch_is_atomic() {
        let folder = tempfile::tempdir().expect("a folder");
        for driver in [
            open(&folder.path().join("chat.sqlite3")).await,
            SqliteDriver::in_memory().await.expect("opens"),
        ] {
            migrate(&Backend::Sqlite(driver.clone()))
                .await
                .expect("migrates");
            let before = read(&driver, Access::Lookup, &EPOCH).await;
            let steps = [
                Step::new(&RENAME, [Param::Text("another")]),
                Step::new(&WRONG, [Param::Text("{")]),
            ];
            let failed = driver.run(Access::Write, &steps).await;
            assert!(matches!(failed, Err(DriverError::Unexpected(_))));
            assert_eq!(read(&driver, Access::Lookup, &EPOCH).await, before);
            let done = driver.run(Access::Write, &steps[..1]).await;
            assert_eq!(done.expect("writes"), [Some("another".to_owned())]);
            for access in [Access::Lookup, Access::Read, Access::Write] {
                assert_eq!(read(&driver, access, &EPOCH).await, "another");
            }
            driver.close().await;
            for access in [Access::Lookup, Access::Read, Access::Write] {
                let late = driver.run(access, &[Step::new(&EPOCH, [])]).await;
                assert!(matches!(late, Err(DriverError::Unavailable(_))), "{late:?}");
            }
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let driver = open(&data.join("chat.sqlite3")).await;
        migrate(&Backend::Sqlite(driver.clone()))
            .await
            .expect("migrates");
        let mode = |path: &Path| {
            std::fs::metadata(path)
                .expect("exists")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&data), 0o700);
        for entry in std::fs::read_dir(&data).expect("lists") {
            assert_eq!(mode(&entry.expect("exists").path()), 0o600);
        }
        driver.close().await;
    }

    /// An acknowledged write is visible to another process, without a close.
    #[tokio::test]
    async fn commit_is_visible_to_another_process_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.sqlite3");
        let backend = Backend::Sqlite(open(&path).await);
        migrate(&backend).await.expect("migrates");
        let epoch = colloquy_proto::domain::Epoch("seen".into());
        backend.store().renew_epoch(&epoch).await.expect("writes");
        let other = open(&path).await;
        let seen: String = sqlx::query_scalar("select epoch from instance")
            .fetch_one(&mut other.connect().await.expect("opens"))
            .await
            .expect("reads");
        assert_eq!(seen, "seen");
    }
}
