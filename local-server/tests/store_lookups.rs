//! Lookups that come at the same time share an exchange with the database, and nothing else.

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

/// What one asks: who it is, and what it says.
static ECHO: Statement = Statement {
    name: "test/echo",
    text: "select ?1 || ' ' || coalesce(?2, 'nothing') where ?1 > 0",
};
/// The same, and the moment, which is one for all who share an exchange.
static MOMENT: Statement = Statement {
    name: "test/moment",
    text: "-- $1 is who asks, $2 what it says.\n\
           select $1 || ' ' || coalesce($2, 'nothing') || ' ' || extract(epoch from statement_timestamp()) \
           from pg_sleep(0.05) as nap where $1 > 0",
};
/// Two statements that fail for some.
static TENTH: Statement = Statement {
    name: "test/tenth",
    text: "select (10 / $1)::text",
};
static JSON: Statement = Statement {
    name: "test/json",
    text: "select json(?1)",
};

/// A hundred ask at once, and each is answered what it asked. The answers' third words.
async fn ask_all<D: Driver>(driver: &D, statement: &'static Statement) -> HashSet<String> {
    let asks = (0..100).map(|asker| async move {
        let said = (asker % 3 > 0).then(|| format!("\"it's-{asker}\""));
        let params = [Param::Int(asker), Param::OptionalText(said.as_deref())];
        let answer = run(driver, Access::Lookup, statement, params)
            .await
            .expect("answers");
        (asker, said, answer)
    });
    let mut thirds = HashSet::new();
    for (asker, said, answer) in join_all(asks).await {
        // No row for one, as if it had asked alone.
        let Some(answer) = answer else {
            assert_eq!(asker, 0);
            continue;
        };
        let words: Vec<&str> = answer.split(' ').collect();
        let expected = [asker.to_string(), said.unwrap_or("nothing".to_owned())];
        assert_eq!(words[..2], expected);
        thirds.extend(words.get(2).map(|word| (*word).to_owned()));
    }
    thirds
}

/// Six ask at once, the third and the fifth what cannot be answered; each fares for itself.
async fn ask_each<D: Driver>(driver: &D, statement: &'static Statement, asks: &[Param<'_>]) {
    let asks = asks
        .iter()
        .map(|ask| run(driver, Access::Lookup, statement, [*ask]));
    let answers = join_all(asks).await.into_iter().map(|answer| {
        answer.unwrap_or_else(|error| {
            assert!(matches!(error, DriverError::Unexpected(_)), "{error}");
            None
        })
    });
    let answers: Vec<_> = answers.collect();
    let expected = [Some("2"), Some("5"), None, Some("10"), None, Some("1")];
    assert_eq!(
        answers.iter().map(Option::as_deref).collect::<Vec<_>>(),
        expected
    );
}

async fn sqlite() -> (TempDir, SqliteDriver) {
    let folder = tempfile::tempdir().expect("a folder");
    let driver = SqliteDriver::open(&folder.path().join("chat.db"), 4).await;
    (folder, driver.expect("opens"))
}

#[tokio::test]
async fn everyone_is_answered_by_few_exchanges_with_postgresql() {
    let database = Database::migrated().await;
    let moments = ask_all(&database.driver(4), &MOMENT).await;
    assert!((2..20).contains(&moments.len()), "{moments:?}");
    database.drop().await;
}

#[tokio::test]
async fn everyone_is_answered_by_sqlite() {
    let (_folder, driver) = sqlite().await;
    ask_all(&driver, &ECHO).await;
    ask_all(&SqliteDriver::in_memory().await.expect("opens"), &ECHO).await;
}

#[tokio::test]
async fn a_question_that_fails_spoils_no_other() {
    let database = Database::migrated().await;
    let asks = [5, 2, 0, 1, 0, 10].map(Param::Int);
    ask_each(&database.driver(2), &TENTH, &asks).await;
    database.drop().await;

    let (_folder, driver) = sqlite().await;
    let asks = ["2", "5", "{", "10", "]", "1"].map(Param::Text);
    ask_each(&driver, &JSON, &asks).await;
}
