//! Concurrent lookups share a round trip, and nothing else.

#[path = "support/asking.rs"]
mod asking;
mod support;

use std::collections::HashSet;

use asking::run;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Statement};
use colloquy_local_server::driver::SqliteDriver;
use futures_util::future::join_all;
use support::Database;
use tempfile::TempDir;

/// Returns its parameters.
static ECHO: Statement = Statement {
    name: "test/echo",
    text: "select ?1 || ' ' || coalesce(?2, 'nothing') where ?1 > 0",
};
/// The same with the time, which is equal for all lookups of one round trip.
static MOMENT: Statement = Statement {
    name: "test/moment",
    text: "-- $1 is the caller, $2 its text.\n\
           select $1 || ' ' || coalesce($2, 'nothing') || ' ' || extract(epoch from statement_timestamp()) \
           from pg_sleep(0.05) as nap where $1 > 0",
};
/// Two statements that fail for some parameters.
static TENTH: Statement = Statement {
    name: "test/tenth",
    text: "select (10 / $1)::text",
};
static JSON: Statement = Statement {
    name: "test/json",
    text: "select json(?1)",
};

/// A hundred concurrent lookups, each with its own result. Returns the third words of the results.
async fn look_up_concurrently<D: Driver>(
    driver: &D,
    statement: &'static Statement,
) -> HashSet<String> {
    let calls = (0..100).map(|caller| async move {
        let text = (caller % 3 > 0).then(|| format!("\"it's-{caller}\""));
        let params = [Param::Int(caller), Param::OptionalText(text.as_deref())];
        let result = run(driver, Access::Lookup, statement, params)
            .await
            .expect("runs");
        (caller, text, result)
    });
    let mut thirds = HashSet::new();
    for (caller, text, result) in join_all(calls).await {
        // No row for one of them, as in a lookup of its own.
        let Some(result) = result else {
            assert_eq!(caller, 0);
            continue;
        };
        let words: Vec<&str> = result.split(' ').collect();
        let expected = [caller.to_string(), text.unwrap_or("nothing".to_owned())];
        assert_eq!(words[..2], expected);
        thirds.extend(words.get(2).map(|word| (*word).to_owned()));
    }
    thirds
}

/// Six concurrent lookups, of which the third and the fifth fail.
async fn look_up_six<D: Driver>(driver: &D, statement: &'static Statement, calls: &[Param<'_>]) {
    let calls = calls
        .iter()
        .map(|param| run(driver, Access::Lookup, statement, [*param]));
    let results = join_all(calls).await.into_iter().map(|result| {
        result.unwrap_or_else(|error| {
            assert!(matches!(error, DriverError::Unexpected(_)), "{error}");
            None
        })
    });
    let results: Vec<_> = results.collect();
    let expected = [Some("2"), Some("5"), None, Some("10"), None, Some("1")];
    assert_eq!(
        results.iter().map(Option::as_deref).collect::<Vec<_>>(),
        expected
    );
}

async fn sqlite() -> (TempDir, SqliteDriver) {
    let folder = tempfile::tempdir().expect("a folder");
    let driver = SqliteDriver::open(&folder.path().join("chat.db"), 4).await;
    (folder, driver.expect("opens"))
}

#[tokio::test]
async fn concurrent_lookups_share_few_round_trips_to_postgresql() {
    let database = Database::migrated().await;
    let moments = look_up_concurrently(&database.driver(4), &MOMENT).await;
    assert!((2..20).contains(&moments.len()), "{moments:?}");
    database.drop().await;
}

#[tokio::test]
async fn concurrent_lookups_have_their_own_results_on_sqlite() {
    let (_folder, driver) = sqlite().await;
    look_up_concurrently(&driver, &ECHO).await;
    look_up_concurrently(&SqliteDriver::in_memory().await.expect("opens"), &ECHO).await;
}

#[tokio::test]
async fn failed_lookup_does_not_fail_the_others() {
    let database = Database::migrated().await;
    let calls = [5, 2, 0, 1, 0, 10].map(Param::Int);
    look_up_six(&database.driver(2), &TENTH, &calls).await;
    database.drop().await;

    let (_folder, driver) = sqlite().await;
    let calls = ["2", "5", "{", "10", "]", "1"].map(Param::Text);
    look_up_six(&driver, &JSON, &calls).await;
}
