//! A pool that reuses the most recently used connection first.
//!
//! sqlx's own pool pings every returned connection, one more round trip for each statement, and
//! hands out the one that was idle longest, so that a server under little load rotates through all
//! connections and finds the memory of each cold (docs/decisions/0003-native-io.md). Correctness
//! does not depend on the order.

use std::time::Duration;

use colloquy_core::store::driver::DriverError;
use deadpool::Runtime;
use deadpool::managed::{Manager, Object, Pool, PoolConfig, PoolError, QueueMode, Timeouts};
use sqlx::Connection;
use tokio::time::timeout;

use super::ACQUIRE_TIMEOUT;

/// How long the health check of a connection may take.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// An empty pool of at most `size` connections, and at least one.
pub(super) fn pool<M: Manager>(manager: M, size: u32) -> Result<Pool<M>, DriverError> {
    let config = PoolConfig {
        max_size: usize::try_from(size).unwrap_or(usize::MAX).max(1),
        timeouts: Timeouts {
            // `acquire` limits the sum of both.
            wait: None,
            create: None,
            recycle: Some(HEALTH_CHECK_TIMEOUT),
        },
        queue_mode: QueueMode::Lifo,
    };
    Pool::builder(manager)
        .config(config)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| DriverError::Unexpected(error.to_string()))
}

/// An idle connection, or a new one.
///
/// # Errors
/// `PoolTimedOut`, `PoolClosed`, or the error of connecting.
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

/// Closes idle connections at once, and each other one when its statement ends.
pub(super) async fn close<M>(pool: &Pool<M>)
where
    M: Manager<Type: Connection>,
{
    let idle = pool.retain(|_, _| false).removed;
    pool.close();
    for connection in idle {
        // The connection is dropped even when closing it fails.
        drop(connection.close().await);
    }
}
