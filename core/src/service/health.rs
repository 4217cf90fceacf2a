//! Health of the server's dependencies.

use futures_util::future::join;

use super::Services;
use crate::ports::{CacheCommand, CacheReply};

/// Which dependencies respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The database.
    pub database: bool,
    /// The cache; always true for the in-process cache.
    pub cache: bool,
}

/// Pings both concurrently.
pub async fn check(services: &Services) -> Health {
    let ping = services.ports.cache.pipeline(vec![CacheCommand::Ping]);
    let (database, cache) = join(services.ports.store.ping(), ping).await;
    let cache = cache.is_ok_and(|replies| matches!(replies[..], [CacheReply::Done]));
    Health {
        database: database.is_ok(),
        cache,
    }
}

/// Pings the database only: the server needs it, but can serve everything without the cache.
pub async fn is_ready(services: &Services) -> bool {
    services.ports.store.ping().await.is_ok()
}
