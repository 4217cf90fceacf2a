//! Whether what the server stands on answers.

use futures_util::future::join;

use super::Services;
use crate::ports::{CacheCommand, CacheReply};

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The database.
    pub database: bool,
    /// The cache; the one in this process always does.
    pub cache: bool,
}

/// Asks both at once.
pub async fn check(services: &Services) -> Health {
    let ping = services.ports.cache.pipeline(vec![CacheCommand::Ping]);
    let (database, cache) = join(services.ports.store.ping(), ping).await;
    let cache = cache.is_ok_and(|replies| matches!(replies[..], [CacheReply::Done]));
    Health {
        database: database.is_ok(),
        cache,
    }
}

/// Asks the database alone: without it nothing can be served, without the cache everything can.
pub async fn is_ready(services: &Services) -> bool {
    services.ports.store.ping().await.is_ok()
}
