//! Changes of accounts that no store method makes, for the contract's fixtures on PostgreSQL.

use colloquy_proto::domain::UserId;

use crate::support::{Database, execute};

pub(crate) async fn deactivate(database: &Database, user_id: UserId) {
    let sql = format!("update users set is_active = false where id = {user_id}");
    execute(&database.url(), &sql).await;
}

/// The account as a build without Unicode keys stored it.
pub(crate) async fn forget_keys(database: &Database, user_id: UserId) {
    let sql = format!(
        "update users set username_caseless = null, email_caseless = null where id = {user_id}"
    );
    execute(&database.url(), &sql).await;
}
