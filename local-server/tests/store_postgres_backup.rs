//! The documented backup of PostgreSQL: `pg_dump`, `pg_restore`, `renew-epoch`.

#[path = "support/process.rs"]
mod process;
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use colloquy_core::ports::{CreatedUser, Store as _};
use colloquy_core::store::PostgresStore;
use colloquy_local_server::driver::Backend;
use colloquy_local_server::migrate::check_schema;
use colloquy_proto::domain::{NewUser, Timestamp};
use process::{program, run};
use sqlx::{Connection as _, PgConnection};
use support::Database;

/// From the newest server that is installed: `pg_dump` refuses a server newer than itself.
fn tool(name: &str) -> Command {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((
                path.file_name()?.to_str()?.parse().ok()?,
                path.join("bin").join(name),
            ))
        })
        .filter(|(_, path)| path.exists())
        .collect();
    versions.sort();
    Command::new(versions.pop().map_or_else(|| name.into(), |(_, path)| path))
}

async fn epoch(database: &Database) -> String {
    let mut connection = PgConnection::connect(&database.url())
        .await
        .expect("connects");
    let epoch = sqlx::query_scalar("select epoch from instance").fetch_one(&mut connection);
    let epoch = epoch.await.expect("one row");
    connection.close().await.expect("closes");
    epoch
}

#[tokio::test]
async fn dump_is_restored_into_a_new_database_with_a_new_epoch() {
    let (original, restored) = (Database::migrated().await, Database::create().await);
    let store = PostgresStore::new(original.driver(1));
    let user = NewUser {
        username: "ada".to_owned(),
        email: "ada@example.com".to_owned(),
        password_hash: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        is_admin: false,
    };
    let created = store.create_user(&user, Timestamp(1_900_000_000_000)).await;
    assert!(
        matches!(created, Ok(CreatedUser::Created(_))),
        "{created:?}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump");
    let mut dump = tool("pg_dump");
    dump.args(["--format=custom", "--file"])
        .arg(&file)
        .arg(original.url());
    assert!(dump.status().expect("it runs").success());
    let mut restore = tool("pg_restore");
    restore
        .args([
            "--clean",
            "--if-exists",
            "--no-owner",
            "--dbname",
            &restored.url(),
        ])
        .arg(&file);
    assert!(restore.status().expect("it runs").success());
    let (code, _, stderr) = run(program(&folder)
        .arg("renew-epoch")
        .env("DATABASE_URL", restored.url()));
    assert_eq!(code, Some(0), "{stderr}");
    assert_ne!(epoch(&original).await, epoch(&restored).await);
    let backend = Backend::Postgres(restored.driver(1));
    check_schema(&backend).await.expect("is up to date");
    let found = backend.store().credentials("ada").await.expect("runs");
    assert!(found.is_some());
    backend.close().await;
    store.driver().close().await;
    original.drop().await;
    restored.drop().await;
}
