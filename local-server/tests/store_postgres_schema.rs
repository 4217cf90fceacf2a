//! Migrating PostgreSQL, and checking its schema.

mod support;

use colloquy_local_server::driver::Backend;
use colloquy_local_server::migrate::{SchemaError, check_schema, migrate};
use support::{Database, execute};

#[tokio::test]
async fn servers_may_migrate_concurrently() {
    let database = Database::create().await;
    let backends: Vec<_> = (0..4)
        .map(|_| Backend::Postgres(database.driver(1)))
        .collect();
    assert!(matches!(
        check_schema(&backends[0]).await,
        Err(SchemaError::Missing)
    ));
    let (one, two, three, four) = tokio::join!(
        migrate(&backends[0]),
        migrate(&backends[1]),
        migrate(&backends[2]),
        migrate(&backends[3]),
    );
    for outcome in [one, two, three, four] {
        outcome.expect("migrates");
    }
    for backend in &backends {
        check_schema(backend).await.expect("is up to date");
        backend.close().await;
    }
    database.drop().await;
}

#[tokio::test]
async fn newer_older_and_changed_schemas_are_rejected() {
    let database = Database::migrated().await;
    let backend = Backend::Postgres(database.driver(1));
    check_schema(&backend).await.expect("is up to date");
    execute(
        &database.url(),
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (9999, 'later', true, '', 0)",
    )
    .await;
    let outcome = check_schema(&backend).await;
    assert!(
        matches!(outcome, Err(SchemaError::Newer { found: 9999, .. })),
        "{outcome:?}"
    );
    assert!(matches!(
        migrate(&backend).await,
        Err(SchemaError::Newer { .. })
    ));
    execute(
        &database.url(),
        "delete from _sqlx_migrations where version = 9999",
    )
    .await;
    execute(&database.url(), "update _sqlx_migrations set checksum = ''").await;
    assert!(matches!(
        check_schema(&backend).await,
        Err(SchemaError::Changed(1))
    ));
    execute(&database.url(), "delete from _sqlx_migrations").await;
    let outcome = check_schema(&backend).await;
    assert!(
        matches!(outcome, Err(SchemaError::Older { found: 0, .. })),
        "{outcome:?}"
    );
    database.drop().await;
}
