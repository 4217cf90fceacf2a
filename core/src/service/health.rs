//! Health of the server's dependencies.
//!
//! Owns the cached result of the database probe, so that health checks, however many, cost at most
//! one write a second. The time limit of a probe belongs to the store's driver.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join;

use super::Services;
use crate::ports::{CacheCommand, CacheReply, StoreError, StoreResult};
use colloquy_proto::domain::Timestamp;

/// How long the result of a probe is used again, in milliseconds.
const MAX_AGE_MS: i64 = 1_000;

/// The reason when the database does not respond.
const NO_RESPONSE: &str = "database does not respond";

/// The reason when it responds with something else than promised.
const UNEXPECTED_RESPONSE: &str = "database responds unexpectedly";

/// The reason without Redis.
const NO_CACHE: &str = "redis does not respond";

/// The health of the dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Why the database cannot be read and written.
    pub database: Result<(), &'static str>,
    /// Why the cache cannot be used; never for the in-process cache.
    pub cache: Result<(), &'static str>,
}

/// The last probe of the database.
#[derive(Debug, Default)]
pub(super) struct DatabaseHealth(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    in_flight: bool,
    last: Option<(Timestamp, Result<(), &'static str>)>,
}

impl DatabaseHealth {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last result if it is recent, or if its successor is in flight. Otherwise the caller probes.
    fn begin(&self, now: Timestamp) -> Result<Probe<'_>, Result<(), &'static str>> {
        let mut state = self.lock();
        if let Some((at, result)) = state.last {
            // A clock that was set back makes no result older.
            let is_recent = (0..MAX_AGE_MS).contains(&(now.0 - at.0));
            if is_recent || state.in_flight {
                return Err(result);
            }
        }
        state.in_flight = true;
        Ok(Probe(self))
    }
}

/// A probe in flight. Dropped without a result when its request ends early.
struct Probe<'a>(&'a DatabaseHealth);

impl Probe<'_> {
    /// Records the result, and logs it if it differs from the one before.
    fn finish(self, outcome: &StoreResult<()>, now: Timestamp) -> Result<(), &'static str> {
        let result = outcome.as_ref().map(drop).map_err(reason);
        let before = self.0.lock().last.replace((now, result));
        let before = before.map_or(Ok(()), |(_, result)| result);
        match outcome {
            Ok(()) if before.is_err() => tracing::info!("database is usable again"),
            Err(error) if before != result => error.log("database is unusable"),
            _ => {}
        }
        result
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight = false;
    }
}

/// A fixed text: an error's own text may name hosts and files.
fn reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::Refused(problem, _) => problem.reason(),
        StoreError::Unavailable(_) => NO_RESPONSE,
        StoreError::Unexpected(_) => UNEXPECTED_RESPONSE,
    }
}

/// Checks both dependencies concurrently.
pub async fn check(services: &Services) -> Health {
    let ping = services.ports.cache.pipeline(vec![CacheCommand::Ping]);
    let (database, cache) = join(check_database(services), ping).await;
    let cache = cache.is_ok_and(|replies| matches!(replies[..], [CacheReply::Done]));
    Health {
        database,
        cache: if cache { Ok(()) } else { Err(NO_CACHE) },
    }
}

/// Checks the database only: the server needs it, but can serve everything without the cache.
///
/// # Errors
/// The reason why it cannot be used.
pub async fn check_database(services: &Services) -> Result<(), &'static str> {
    let probe = match services.database_health.begin(services.ports.clock.now()) {
        Ok(probe) => probe,
        Err(recent) => return recent,
    };
    let outcome = services.ports.store.probe().await;
    probe.finish(&outcome, services.ports.clock.now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::DatabaseProblem;

    const LOCKED: Result<(), &str> = Err(DatabaseProblem::Locked.reason());

    fn locked() -> StoreResult<()> {
        Err(StoreError::Refused(
            DatabaseProblem::Locked,
            "busy".to_owned(),
        ))
    }

    #[test]
    fn result_of_a_probe_is_used_again_for_a_second() {
        let health = DatabaseHealth::default();
        let first = health.begin(Timestamp(5_000)).expect("the first probe");
        assert_eq!(first.finish(&locked(), Timestamp(5_000)), LOCKED);
        for now in [5_000, 5_999] {
            assert_eq!(health.begin(Timestamp(now)).err(), Some(LOCKED), "{now}");
        }
        for now in [6_000, 4_999] {
            assert!(health.begin(Timestamp(now)).is_ok(), "{now}");
        }
    }

    #[test]
    fn one_probe_is_in_flight_and_others_use_the_last_result() {
        let health = DatabaseHealth::default();
        let first = health.begin(Timestamp(0)).expect("the first probe");
        // Without a result there is nothing to answer with.
        drop(
            health
                .begin(Timestamp(0))
                .expect("a concurrent first probe"),
        );
        assert_eq!(first.finish(&Ok(()), Timestamp(0)), Ok(()));
        let second = health.begin(Timestamp(9_000)).expect("the second probe");
        assert_eq!(health.begin(Timestamp(9_000)).err(), Some(Ok(())));
        drop(second);
        assert!(
            health.begin(Timestamp(9_000)).is_ok(),
            "the request ended early"
        );
    }
}
