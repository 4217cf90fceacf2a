//! The store contract over the driver as the edge has it.

mod support;
#[path = "support/typed_driver.rs"]
mod typed_driver;

use async_trait::async_trait;
use colloquy_core::domain::UserId;
use colloquy_core::ports::Store;
use colloquy_core::store::PostgresStore;
use colloquy_core::testing::store_contract::Fixture;
use support::{Database, execute};
use tokio_postgres::NoTls;
use typed_driver::TypedDriver;

struct TypedFixture {
    store: PostgresStore<TypedDriver>,
    other: PostgresStore<TypedDriver>,
    database: Database,
}

async fn connect(database: &Database) -> TypedDriver {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .expect("connects");
    tokio::spawn(connection);
    TypedDriver::new(client)
}

async fn fixture() -> Box<dyn Fixture> {
    let database = Database::migrated().await;
    Box::new(TypedFixture {
        store: PostgresStore::new(connect(&database).await),
        other: PostgresStore::new(connect(&database).await),
        database,
    })
}

#[async_trait]
impl Fixture for TypedFixture {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn other_store(&self) -> &dyn Store {
        &self.other
    }

    async fn deactivate(&self, user_id: UserId) {
        let sql = format!("update users set is_active = false where id = {user_id}");
        execute(&self.database.url(), &sql).await;
    }

    async fn close(self: Box<Self>) {
        self.database.drop().await;
    }
}

colloquy_core::store_contract!(super::fixture);
