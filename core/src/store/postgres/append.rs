//! A batch of sends in PostgreSQL: three statements, of which usually one runs.
//!
//! A single send without mentions is stored by `append_one`, others by `append_all`, which stores all
//! or none. Only when nothing was stored does `append_each` decide for each send. The batch is correct with
//! `append_each` alone: the others save server CPU time (docs/decisions/0004-batched-commits.md).

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::append_params::{AppendParams, StoredAll};
use super::retry::{ATTEMPTS, overtaken};
use crate::ports::{
    AppendOutcome, BatchOutcome, NewMessage, StoreError, StoreResult, StoredMessage,
};
use crate::store::decode::{OutcomeJson, decode, decode_optional, named};
use crate::store::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use colloquy_proto::domain::{ClientMessageId, Epoch};

static APPEND_EACH: Statement = statement!("postgres", "messages/append_each");
static APPEND_ALL: Statement = statement!("postgres", "messages/append_all");
static APPEND_ONE: Statement = statement!("postgres", "messages/append_one");

/// The unique index that a repeated `client_message_id` violates.
const CLIENT_ID_UNIQUE: &str = "messages_client_id_unique";

/// The result of `messages/append_one`.
#[derive(Deserialize)]
struct StoredOne {
    epoch: Epoch,
    stored: StoredMessage,
}

/// The result of `messages/append_each`.
#[derive(Deserialize)]
struct EachOutcome {
    epoch: Epoch,
    outcomes: Vec<OutcomeJson>,
}

/// Stores the batch; the contract is that of `Store::append`.
pub(super) async fn append<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<BatchOutcome> {
    if !sends.iter().any(|send| send.dedup_only) {
        let stored = match sends {
            [send] if send.mentions.is_empty() => append_one(driver, send).await?,
            _ => append_all(driver, sends).await?,
        };
        if let Some(stored) = stored {
            return Ok(stored);
        }
    }
    append_each(driver, sends).await
}

/// Stores one send without mentions. `None` when it cannot be stored.
async fn append_one<D: Driver>(driver: &D, send: &NewMessage) -> StoreResult<Option<BatchOutcome>> {
    let client_message_id = send.client_message_id.as_ref();
    let params = [
        Param::Int(send.sender_id.0),
        Param::Text(&send.session_id.0),
        Param::Int(send.now.0),
        Param::Int(send.conversation_id.0),
        Param::Text(send.message.as_str()),
        Param::OptionalText(client_message_id.map(ClientMessageId::as_str)),
        Param::OptionalInt(send.reply_to.map(|id| id.0)),
    ];
    let stored = all_or_none::<_, StoredOne>(driver, &APPEND_ONE, &params).await?;
    Ok(stored.map(|result| BatchOutcome {
        epoch: result.epoch,
        outcomes: vec![AppendOutcome::Stored(result.stored)],
    }))
}

/// Stores all sends. `None` when one of them cannot be stored.
async fn append_all<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<Option<BatchOutcome>> {
    let batch = AppendParams::new(sends);
    let arrays = batch.for_all();
    let params = arrays.each_ref().map(|array| Param::Text(array));
    let Some(result) = all_or_none::<_, StoredAll>(driver, &APPEND_ALL, &params).await? else {
        return Ok(None);
    };
    let stored = batch
        .stored(&result)
        .ok_or_else(|| other_batch(&APPEND_ALL))?;
    Ok(Some(BatchOutcome {
        epoch: result.epoch,
        outcomes: stored.into_iter().map(AppendOutcome::Stored).collect(),
    }))
}

/// The result of a statement that stores all it is given or nothing, which is `None`.
async fn all_or_none<D: Driver, T: DeserializeOwned>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> StoreResult<Option<T>> {
    match write(driver, statement, params).await {
        Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => Ok(None),
        result => decode_optional(statement, result.map_err(named(statement))?),
    }
}

/// Decides for each send.
async fn append_each<D: Driver>(driver: &D, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
    let arrays = AppendParams::new(sends).for_each();
    let params = arrays.each_ref().map(|array| Param::Text(array));
    for _ in 0..ATTEMPTS {
        let row = match write(driver, &APPEND_EACH, &params).await {
            Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => continue,
            result => result.map_err(named(&APPEND_EACH))?,
        };
        let EachOutcome { epoch, outcomes } = decode(&APPEND_EACH, row)?;
        let outcomes: Vec<AppendOutcome> = outcomes.into_iter().map(Into::into).collect();
        if outcomes.len() != sends.len() {
            return Err(other_batch(&APPEND_EACH));
        }
        return Ok(BatchOutcome { epoch, outcomes });
    }
    Err(overtaken(&APPEND_EACH))
}

/// The error for a result that does not have one outcome per send.
fn other_batch(statement: &'static Statement) -> StoreError {
    StoreError::Unexpected(format!(
        "the result of {} is of another batch",
        statement.name
    ))
}

/// Runs one statement. The driver's error is kept, for its constraint.
async fn write<D: Driver>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> Result<Option<String>, DriverError> {
    let steps = [Step::new(statement, params)];
    let results = driver.run(Access::Write, &steps).await?;
    Ok(results.into_iter().next().flatten())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures_util::FutureExt as _;

    use super::*;
    use colloquy_proto::domain::{ConversationId, MessageText, SessionId, Timestamp, UserId};

    const ONE: &str = r#"{"epoch":"e","stored":[5,1,1,7,"ann"]}"#;
    const ALL: &str =
        r#"{"epoch":"e","ids":[5,6],"conversations":[[1,0,0,0]],"names":["ann"],"mentions":[]}"#;

    /// Returns `outcomes` outcomes for `append_each` and `all_or_none` for the other statements, and
    /// records the statements it runs.
    struct ScriptedDriver {
        outcomes: usize,
        all_or_none: Result<Option<&'static str>, DriverError>,
        statements: Mutex<Vec<&'static str>>,
    }

    #[async_trait]
    impl Driver for ScriptedDriver {
        async fn run(
            &self,
            _: Access,
            steps: &[Step<'_>],
        ) -> Result<Vec<Option<String>>, DriverError> {
            let [step] = steps else {
                panic!("{} steps", steps.len());
            };
            self.statements.lock().unwrap().push(step.statement.name);
            let row = if step.statement.name == APPEND_EACH.name {
                let outcomes = vec!["not_a_duplicate"; self.outcomes];
                Some(serde_json::json!({"epoch": "e", "outcomes": outcomes}).to_string())
            } else {
                self.all_or_none.clone()?.map(str::to_owned)
            };
            Ok(vec![row])
        }
    }

    fn send() -> NewMessage {
        NewMessage {
            conversation_id: ConversationId(1),
            sender_id: UserId(2),
            session_id: SessionId("s".into()),
            client_message_id: None,
            message: MessageText::new("Hello".to_owned()).unwrap(),
            reply_to: None,
            mentions: Vec::new(),
            dedup_only: false,
            now: Timestamp(7),
        }
    }

    fn run(
        all_or_none: Result<Option<&'static str>, DriverError>,
        sends: &[NewMessage],
    ) -> (StoreResult<BatchOutcome>, Vec<&'static str>) {
        let driver = ScriptedDriver {
            outcomes: sends.len(),
            all_or_none,
            statements: Mutex::default(),
        };
        let result = append(&driver, sends).now_or_never().unwrap();
        (result, driver.statements.into_inner().unwrap())
    }

    #[test]
    fn sends_that_can_be_stored_take_one_statement() {
        for (row, statement, sends) in [
            (ONE, "messages/append_one", &[send()][..]),
            (ALL, "messages/append_all", &[send(), send()]),
        ] {
            let (result, statements) = run(Ok(Some(row)), sends);
            let outcomes = result.unwrap().outcomes;
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, AppendOutcome::Stored(_)))
            );
            assert_eq!((outcomes.len(), statements), (sends.len(), vec![statement]));
        }
    }

    #[test]
    fn single_send_with_mentions_is_stored_as_a_batch() {
        let mentioning = NewMessage {
            mentions: vec![UserId(3)],
            ..send()
        };
        let all = r#"{"epoch":"e","ids":[5],"conversations":[[1,0,0,0]],"names":["ann"],"mentions":[[5,[3]]]}"#;
        let (result, statements) = run(Ok(Some(all)), &[mentioning]);
        let [AppendOutcome::Stored(stored)] = &*result.unwrap().outcomes else {
            panic!("not stored");
        };
        assert_eq!(stored.mentions, [UserId(3)]);
        assert_eq!(statements, ["messages/append_all"]);
    }

    #[test]
    fn sends_that_cannot_all_be_stored_are_decided_one_by_one() {
        let repeat = DriverError::Constraint(CLIENT_ID_UNIQUE.to_owned());
        for all_or_none in [Ok(None), Err(repeat)] {
            for (statement, sends) in [
                ("messages/append_one", &[send()][..]),
                ("messages/append_all", &[send(), send()]),
            ] {
                let (result, statements) = run(all_or_none.clone(), sends);
                assert_eq!(
                    result.unwrap().outcomes,
                    vec![AppendOutcome::NotADuplicate; sends.len()]
                );
                assert_eq!(statements, [statement, "messages/append_each"]);
            }
        }
    }

    #[test]
    fn batch_with_a_dedup_only_send_is_decided_one_by_one_at_once() {
        let dedup_only = NewMessage {
            dedup_only: true,
            ..send()
        };
        for sends in [&[dedup_only.clone()][..], &[send(), dedup_only]] {
            let (result, statements) = run(Ok(Some(ALL)), sends);
            assert!(result.is_ok());
            assert_eq!(statements, ["messages/append_each"]);
        }
    }

    #[test]
    fn result_with_another_number_of_outcomes_is_an_error() {
        for outcomes in [0, 1, 3] {
            let driver = ScriptedDriver {
                outcomes,
                all_or_none: Ok(None),
                statements: Mutex::default(),
            };
            let result = append(&driver, &[send(), send()]).now_or_never().unwrap();
            assert!(
                matches!(result, Err(StoreError::Unexpected(_))),
                "{outcomes}"
            );
        }
    }

    #[test]
    fn unavailable_database_is_called_once() {
        let unavailable = DriverError::Unavailable("gone".to_owned());
        let (result, statements) = run(Err(unavailable), &[send(), send()]);
        assert!(matches!(result, Err(StoreError::Unavailable(_))));
        assert_eq!(statements, ["messages/append_all"]);
    }
}
