//! Connections kept for the next statement.
//!
//! Not sqlx's own pool: it asks each connection that comes back whether it is well, which is a
//! round trip more for every statement, and hands out the one that has rested longest, so that a
//! server with little to do visits all of its connections in turn and finds the memory of each
//! gone cold. Here the one used last goes first.

use std::time::Duration;

use colloquy_core::store::driver::DriverError;
use deadpool::Runtime;
use deadpool::managed::{Manager, Object, Pool, PoolConfig, PoolError, QueueMode, Timeouts};
use sqlx::Connection;
use tokio::time::timeout;

use super::ACQUIRE_TIMEOUT;

/// How long a connection may take to say that it is well.
const TEST_TIMEOUT: Duration = Duration::from_secs(1);

/// An empty pool of at most so many connections, and at least one.
pub(super) fn pool<M: Manager>(manager: M, size: u32) -> Result<Pool<M>, DriverError> {
    let config = PoolConfig {
        max_size: usize::try_from(size).unwrap_or(usize::MAX).max(1),
        timeouts: Timeouts {
            // All together: see `acquire`.
            wait: None,
            create: None,
            recycle: Some(TEST_TIMEOUT),
        },
        queue_mode: QueueMode::Lifo,
    };
    Pool::builder(manager)
        .config(config)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| DriverError::Unexpected(error.to_string()))
}

/// A connection that is free, or a new one.
///
/// # Errors
/// `PoolTimedOut` or `PoolClosed`, or why there is no new one.
pub(super) async fn acquire<M>(pool: &Pool<M>) -> Result<Object<M>, sqlx::Error>
where
    M: Manager<Error = sqlx::Error>,
{
    let found = timeout(ACQUIRE_TIMEOUT, pool.get()).await;
    let found = found.map_err(|_| sqlx::Error::PoolTimedOut)?;
    found.map_err(|error| match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
        PoolError::Closed => sqlx::Error::PoolClosed,
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            sqlx::Error::Configuration(error.into())
        }
    })
}

/// Closes every connection that is free, and each other when its statement has come to an end.
pub(super) async fn close<M>(pool: &Pool<M>)
where
    M: Manager<Type: Connection>,
{
    let free = pool.retain(|_, _| false).removed;
    pool.close();
    for connection in free {
        // One that does not part in peace is gone all the same.
        drop(connection.close().await);
    }
}
