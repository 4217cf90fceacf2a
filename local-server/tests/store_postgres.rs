//! The store contract over PostgreSQL through sqlx.

#[path = "support/stored_accounts.rs"]
mod stored_accounts;
mod support;

use async_trait::async_trait;
use colloquy_contract::Fixture;
use colloquy_core::ports::Store;
use colloquy_core::store::PostgresStore;
use colloquy_local_server::driver::PostgresDriver;
use colloquy_proto::domain::UserId;
use support::Database;

struct PostgresFixture {
    store: PostgresStore<PostgresDriver>,
    other: PostgresStore<PostgresDriver>,
    database: Database,
}

async fn fixture() -> Box<dyn Fixture> {
    let database = Database::migrated().await;
    Box::new(PostgresFixture {
        store: PostgresStore::new(database.driver(4)),
        other: PostgresStore::new(database.driver(4)),
        database,
    })
}

#[async_trait]
impl Fixture for PostgresFixture {
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
