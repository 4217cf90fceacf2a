//! Lookups that come at the same time share an exchange with PostgreSQL, and nothing else.

mod support;

use std::collections::HashSet;

use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Statement, Step};
use colloquy_local_server::driver::PostgresDriver;
use futures_util::future::join_all;
use support::Database;

/// The moment it began is the same for all who share an exchange.
static MOMENT: Statement = Statement {
    name: "test/moment",
    text: "-- $1 is who asks, $2 what it says.\n\
           select $1 || ' ' || coalesce($2, 'nothing') || ' ' || extract(epoch from statement_timestamp()) \
           from pg_sleep(0.05) as nap where $1 > 0",
};
static TENTH: Statement = Statement {
    name: "test/tenth",
    text: "select (10 / $1)::text",
};

async fn look(
    driver: &PostgresDriver,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> Result<Option<String>, DriverError> {
    let step = Step::new(statement, params);
    let mut answers = driver.run(Access::Lookup, &[step]).await?;
    Ok(answers.remove(0))
}

#[tokio::test]
async fn everyone_is_answered_by_few_exchanges() {
    let database = Database::migrated().await;
    let driver = database.driver(4);
    let asks = (0..100).map(|asker| {
        let driver = &driver;
        async move {
            let said = (asker % 3 > 0).then(|| format!("it's-{asker}"));
            let params = [Param::Int(asker), Param::OptionalText(said.as_deref())];
            let answer = look(driver, &MOMENT, &params).await.expect("answers");
            (asker, said, answer)
        }
    });
    let mut moments = HashSet::new();
    for (asker, said, answer) in join_all(asks).await {
        // No row for one, as if it had asked alone.
        let Some(answer) = answer else {
            assert_eq!(asker, 0);
            continue;
        };
        let words: Vec<&str> = answer.split(' ').collect();
        let expected = [asker.to_string(), said.unwrap_or("nothing".to_owned())];
        assert_eq!(words[..2], expected);
        moments.insert(words[2].to_owned());
    }
    assert!((2..20).contains(&moments.len()), "{moments:?}");
    database.drop().await;
}

#[tokio::test]
async fn a_question_that_fails_spoils_no_other() {
    let database = Database::migrated().await;
    let driver = database.driver(2);
    let asks = [5, 2, 0, 1, 0, 10].map(|by| {
        let driver = &driver;
        async move { look(driver, &TENTH, &[Param::Int(by)]).await }
    });
    let answers = join_all(asks).await;
    let numbers = answers.iter().map(|answer| match answer {
        Ok(number) => number.as_deref(),
        Err(error) => {
            assert!(matches!(error, DriverError::Unexpected(_)), "{error}");
            None
        }
    });
    let expected = [Some("2"), Some("5"), None, Some("10"), None, Some("1")];
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
    database.drop().await;
}
