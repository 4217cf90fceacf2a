//! A batch of sends in PostgreSQL: one statement, of three.
//!
//! A send alone is stored by a short one, several by the one that takes them all or none. Only when
//! nothing is stored are they judged, by the one that does so for each.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{Outcome, decode, decode_optional, failed, run_one};
use super::columns::{Columns, StoredAll, mentions};
use super::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use super::postgres::{ATTEMPTS, unsettled};
use crate::ports::{
    AppendOutcome, BatchOutcome, NewMessage, StoreError, StoreResult, StoredMessage,
};
use colloquy_proto::domain::{ClientMessageId, Epoch};

static APPEND: Statement = statement!("postgres", "messages/append");
static APPEND_ALL: Statement = statement!("postgres", "messages/append_all");
static APPEND_ONE: Statement = statement!("postgres", "messages/append_one");

/// The unique index that keeps a sender's repeats out.
const CLIENT_ID_UNIQUE: &str = "messages_client_id_unique";

/// What `messages/append_one` answers.
#[derive(Deserialize)]
struct StoredOne {
    epoch: Epoch,
    stored: StoredMessage,
}

/// What `messages/append` answers.
#[derive(Deserialize)]
struct Judged {
    epoch: Epoch,
    outcomes: Vec<Outcome>,
}

/// Stores them as the port says.
pub(super) async fn append<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<BatchOutcome> {
    if !sends.iter().any(|send| send.dedup_only) {
        let stored = match sends {
            [send] => append_one(driver, send).await?,
            _ => append_all(driver, sends).await?,
        };
        if let Some(stored) = stored {
            return Ok(stored);
        }
    }
    judge(driver, sends).await
}

/// This one, or `None` when it cannot be stored.
async fn append_one<D: Driver>(driver: &D, send: &NewMessage) -> StoreResult<Option<BatchOutcome>> {
    let mentions = mentions(&send.mentions);
    let client_message_id = send.client_message_id.as_ref();
    let params = [
        Param::Int(send.conversation_id.0),
        Param::Int(send.sender_id.0),
        Param::Text(&send.session_id.0),
        Param::Int(send.now.0),
        Param::Text(send.message.as_str()),
        Param::OptionalText(client_message_id.map(ClientMessageId::as_str)),
        Param::OptionalInt(send.reply_to.map(|id| id.0)),
        Param::OptionalText(mentions.as_deref()),
    ];
    let answer = whole::<_, StoredOne>(driver, &APPEND_ONE, &params).await?;
    Ok(answer.map(|answer| BatchOutcome {
        epoch: answer.epoch,
        outcomes: vec![AppendOutcome::Stored(answer.stored)],
    }))
}

/// All of them, or `None` when one of them cannot be stored.
async fn append_all<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<Option<BatchOutcome>> {
    let columns = Columns::new(sends);
    let all = columns.all();
    let params = all.each_ref().map(|column| Param::Text(column));
    let Some(answer) = whole::<_, StoredAll>(driver, &APPEND_ALL, &params).await? else {
        return Ok(None);
    };
    let stored = columns.stored(&answer).ok_or_else(|| {
        StoreError::Unexpected(format!("{} answered for other sends", APPEND_ALL.name))
    })?;
    Ok(Some(BatchOutcome {
        epoch: answer.epoch,
        outcomes: stored.into_iter().map(AppendOutcome::Stored).collect(),
    }))
}

/// The answer of a statement that stores all it is given or nothing, which is `None`.
async fn whole<D: Driver, T: DeserializeOwned>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> StoreResult<Option<T>> {
    match run(driver, statement, params).await {
        Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => Ok(None),
        answer => decode_optional(statement, answer.map_err(failed(statement))?),
    }
}

/// Has each send judged for itself.
async fn judge<D: Driver>(driver: &D, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
    let judged = Columns::new(sends).judged();
    let params = judged.each_ref().map(|column| Param::Text(column));
    for _ in 0..ATTEMPTS {
        let answer = match run(driver, &APPEND, &params).await {
            Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => continue,
            answer => answer.map_err(failed(&APPEND))?,
        };
        let judged: Judged = decode(&APPEND, answer)?;
        return Ok(BatchOutcome {
            epoch: judged.epoch,
            outcomes: judged.outcomes.into_iter().map(Into::into).collect(),
        });
    }
    Err(unsettled(&APPEND))
}

async fn run<D: Driver>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> Result<Option<String>, DriverError> {
    run_one(driver, Access::Write, Step::new(statement, params)).await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures_util::FutureExt as _;

    use super::*;
    use colloquy_proto::domain::{ConversationId, MessageText, SessionId, Timestamp, UserId};

    const ONE: &str = r#"{"epoch":"e","stored":[5,1,1,7,"ann"]}"#;
    const ALL: &str = r#"{"epoch":"e","ids":[5,6],"conversations":[[1,0,0,0]],"names":["ann"]}"#;
    const EACH: &str = r#"{"epoch":"e","outcomes":["not_a_duplicate","not_a_duplicate"]}"#;

    /// Answers the statement that judges with [`EACH`], the others with this, and remembers what
    /// it was asked.
    struct Scripted {
        whole: Result<Option<&'static str>, DriverError>,
        asked: Mutex<Vec<&'static str>>,
    }

    #[async_trait]
    impl Driver for Scripted {
        async fn run(
            &self,
            _: Access,
            steps: &[Step<'_>],
        ) -> Result<Vec<Option<String>>, DriverError> {
            let [step] = steps else {
                panic!("{} steps", steps.len());
            };
            self.asked.lock().unwrap().push(step.statement.name);
            let answer = if step.statement.name == APPEND.name {
                Some(EACH)
            } else {
                self.whole.clone()?
            };
            Ok(vec![answer.map(str::to_owned)])
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
        whole: Result<Option<&'static str>, DriverError>,
        sends: &[NewMessage],
    ) -> (StoreResult<BatchOutcome>, Vec<&'static str>) {
        let driver = Scripted {
            whole,
            asked: Mutex::default(),
        };
        let answer = append(&driver, sends).now_or_never().unwrap();
        (answer, driver.asked.into_inner().unwrap())
    }

    #[test]
    fn what_can_be_stored_whole_is_not_judged() {
        for (answer, statement, sends) in [
            (ONE, "messages/append_one", &[send()][..]),
            (ALL, "messages/append_all", &[send(), send()]),
        ] {
            let (answer, asked) = run(Ok(Some(answer)), sends);
            let outcomes = answer.unwrap().outcomes;
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, AppendOutcome::Stored(_)))
            );
            assert_eq!((outcomes.len(), asked), (sends.len(), vec![statement]));
        }
    }

    #[test]
    fn what_cannot_is_judged_send_by_send() {
        let repeat = DriverError::Constraint(CLIENT_ID_UNIQUE.to_owned());
        for whole in [Ok(None), Err(repeat)] {
            for (statement, sends) in [
                ("messages/append_one", &[send()][..]),
                ("messages/append_all", &[send(), send()]),
            ] {
                let (answer, asked) = run(whole.clone(), sends);
                assert_eq!(
                    answer.unwrap().outcomes,
                    [AppendOutcome::NotADuplicate, AppendOutcome::NotADuplicate]
                );
                assert_eq!(asked, [statement, "messages/append"]);
            }
        }
    }

    #[test]
    fn what_only_looks_for_a_repeat_is_judged_at_once() {
        let looks = NewMessage {
            dedup_only: true,
            ..send()
        };
        for sends in [&[looks.clone()][..], &[send(), looks]] {
            let (answer, asked) = run(Ok(Some(ALL)), sends);
            assert!(answer.is_ok());
            assert_eq!(asked, ["messages/append"]);
        }
    }

    #[test]
    fn a_database_that_is_away_is_asked_once() {
        let away = DriverError::Unavailable("gone".to_owned());
        let (answer, asked) = run(Err(away), &[send(), send()]);
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        assert_eq!(asked, ["messages/append_all"]);
    }
}
