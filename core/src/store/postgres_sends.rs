//! A batch of sends in PostgreSQL: one statement, of three.
//!
//! A send alone has a short one. Several are stored by the one that takes them all or none, and
//! only when it takes none, by the one that judges each.

use serde::Deserialize;

use super::answer::{Outcome, decode, decode_optional, failed, run_one};
use super::columns::{Columns, StoredAll, mentions};
use super::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use super::postgres::{ATTEMPTS, unsettled};
use crate::domain::{ClientMessageId, Epoch};
use crate::ports::{Append, Appended, AppendedBatch, StoreError, StoreResult};

static APPEND: Statement = statement!("postgres", "messages/append");
static APPEND_ALL: Statement = statement!("postgres", "messages/append_all");
static APPEND_ONE: Statement = statement!("postgres", "messages/append_one");

/// The unique index that keeps a sender's repeats out.
const CLIENT_ID_UNIQUE: &str = "messages_client_id_unique";

/// What `messages/append` and `messages/append_one` answer.
#[derive(Deserialize)]
struct Judged {
    epoch: Epoch,
    outcomes: Vec<Outcome>,
}

/// Stores them as the port says.
pub(super) async fn append<D: Driver>(driver: &D, sends: &[Append]) -> StoreResult<AppendedBatch> {
    if let [send] = sends {
        return append_one(driver, send).await;
    }
    let columns = Columns::new(sends);
    if !sends.iter().any(|send| send.repeat_only)
        && let Some(stored) = append_all(driver, &columns).await?
    {
        return Ok(stored);
    }
    let judged = columns.judged();
    let params = judged.each_ref().map(|column| Param::Text(column));
    judge(driver, &APPEND, &params).await
}

async fn append_one<D: Driver>(driver: &D, send: &Append) -> StoreResult<AppendedBatch> {
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
        Param::Int(i64::from(send.repeat_only)),
    ];
    judge(driver, &APPEND_ONE, &params).await
}

/// All of them, or `None` when one of them cannot be stored.
async fn append_all<D: Driver>(
    driver: &D,
    columns: &Columns<'_>,
) -> StoreResult<Option<AppendedBatch>> {
    let all = columns.all();
    let params = all.each_ref().map(|column| Param::Text(column));
    let answer = match run(driver, &APPEND_ALL, &params).await {
        Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => return Ok(None),
        answer => answer.map_err(failed(&APPEND_ALL))?,
    };
    let Some(answer) = decode_optional::<StoredAll>(&APPEND_ALL, answer)? else {
        return Ok(None);
    };
    let stored = columns.stored(&answer).ok_or_else(|| {
        StoreError::Unexpected(format!("{} answered for other sends", APPEND_ALL.name))
    })?;
    Ok(Some(AppendedBatch {
        epoch: answer.epoch,
        outcomes: stored.into_iter().map(Appended::Stored).collect(),
    }))
}

/// Has each send judged for itself.
async fn judge<D: Driver>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> StoreResult<AppendedBatch> {
    for _ in 0..ATTEMPTS {
        let answer = match run(driver, statement, params).await {
            Err(DriverError::Constraint(name)) if name == CLIENT_ID_UNIQUE => continue,
            answer => answer.map_err(failed(statement))?,
        };
        let judged: Judged = decode(statement, answer)?;
        return Ok(AppendedBatch {
            epoch: judged.epoch,
            outcomes: judged.outcomes.into_iter().map(Into::into).collect(),
        });
    }
    Err(unsettled(statement))
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
    use crate::domain::{ConversationId, MessageText, SessionId, Timestamp, UserId};

    const ALL: &str = r#"{"epoch":"e","ids":[5,6],"conversations":[[1,0,0,0]],"names":["ann"]}"#;
    const EACH: &str = r#"{"epoch":"e","outcomes":["no_repeat","no_repeat"]}"#;

    /// Answers the statement that takes all with this, every other with [`EACH`], and remembers
    /// what it was asked.
    struct Scripted {
        all: Result<Option<&'static str>, DriverError>,
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
            let answer = if step.statement.name == APPEND_ALL.name {
                self.all.clone()?
            } else {
                Some(EACH)
            };
            Ok(vec![answer.map(str::to_owned)])
        }
    }

    fn send() -> Append {
        Append {
            conversation_id: ConversationId(1),
            sender_id: UserId(2),
            session_id: SessionId("s".into()),
            client_message_id: None,
            message: MessageText::new("Hello".to_owned()).unwrap(),
            reply_to: None,
            mentions: Vec::new(),
            repeat_only: false,
            now: Timestamp(7),
        }
    }

    fn run(
        all: Result<Option<&'static str>, DriverError>,
        sends: &[Append],
    ) -> (StoreResult<AppendedBatch>, Vec<&'static str>) {
        let driver = Scripted {
            all,
            asked: Mutex::default(),
        };
        let answer = append(&driver, sends).now_or_never().unwrap();
        (answer, driver.asked.into_inner().unwrap())
    }

    #[test]
    fn what_can_be_stored_whole_is_not_judged() {
        let (answer, asked) = run(Ok(Some(ALL)), &[send(), send()]);
        let outcomes = answer.unwrap().outcomes;
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Appended::Stored(_)))
        );
        assert_eq!((outcomes.len(), asked), (2, vec!["messages/append_all"]));
    }

    #[test]
    fn what_cannot_is_judged_send_by_send() {
        let repeat = DriverError::Constraint(CLIENT_ID_UNIQUE.to_owned());
        for all in [Ok(None), Err(repeat)] {
            let (answer, asked) = run(all, &[send(), send()]);
            assert_eq!(
                answer.unwrap().outcomes,
                [Appended::NoRepeat, Appended::NoRepeat]
            );
            assert_eq!(asked, ["messages/append_all", "messages/append"]);
        }
    }

    #[test]
    fn what_only_looks_for_a_repeat_is_judged_at_once() {
        let looks = Append {
            repeat_only: true,
            ..send()
        };
        let (answer, asked) = run(Ok(Some(ALL)), &[send(), looks]);
        assert!(answer.is_ok());
        assert_eq!(asked, ["messages/append"]);
    }

    #[test]
    fn a_database_that_is_away_is_asked_once() {
        let away = DriverError::Unavailable("gone".to_owned());
        let (answer, asked) = run(Err(away), &[send(), send()]);
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        assert_eq!(asked, ["messages/append_all"]);
    }
}
