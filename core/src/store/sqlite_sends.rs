//! A batch of sends in SQLite: a guarded insert for each, then two steps for all of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::answer::{Outcome, decode, decode_optional, failed};
use super::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use super::input::{ids_json, mentions_json};
use crate::ports::{BatchOutcome, NewMessage, StoreError, StoreResult};
use colloquy_proto::domain::{ClientMessageId, Epoch};

static APPEND: Statement = statement!("sqlite", "messages/append");
static ADVANCE: Statement = statement!("sqlite", "messages/advance");
static WHY_NOT: Statement = statement!("sqlite", "messages/why_not");

/// Stores them as the port says.
pub(super) async fn append<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<BatchOutcome> {
    let mentions: Vec<_> = sends.iter().map(mentions_json).collect();
    let places: BTreeSet<_> = sends.iter().map(|send| send.conversation_id.0).collect();
    let places = ids_json(places);
    let questions: Vec<_> = sends.iter().map(Question::from).collect();
    let questions = serde_json::to_string(&questions)
        .map_err(|error| StoreError::Unexpected(error.to_string()))?;

    let mut steps: Vec<_> = sends
        .iter()
        .zip(&mentions)
        .map(|(send, mentions)| append_step(send, mentions.as_deref()))
        .collect();
    steps.push(Step::new(&ADVANCE, [Param::Text(&places)]));
    steps.push(Step::new(&WHY_NOT, [Param::Text(&questions)]));
    let mut answers = driver
        .run(Access::Write, &steps)
        .await
        .map_err(failed(&APPEND))?;
    if answers.len() != steps.len() {
        return Err(too_few(&APPEND));
    }
    let ending = answers.pop().flatten();
    answers.truncate(sends.len());
    outcomes(answers, ending)
}

/// The step that stores one send.
fn append_step<'a>(send: &'a NewMessage, mentions: Option<&'a str>) -> Step<'a> {
    let client_message_id = send.client_message_id.as_ref().map(ClientMessageId::as_str);
    Step::new(
        &APPEND,
        [
            Param::Int(send.conversation_id.0),
            Param::Int(send.sender_id.0),
            Param::Text(&send.session_id.0),
            Param::OptionalText(client_message_id),
            Param::Text(send.message.as_str()),
            Param::OptionalInt(send.reply_to.map(|id| id.0)),
            Param::OptionalText(mentions),
            Param::Int(send.now.0),
            Param::Int(i64::from(send.dedup_only)),
        ],
    )
}

/// What `messages/why_not` answers.
#[derive(Deserialize)]
struct Ending {
    epoch: Epoch,
    why_not: Vec<Outcome>,
}

/// A send as `messages/why_not` takes it.
#[derive(Serialize)]
struct Question<'a> {
    conversation_id: i64,
    sender_id: i64,
    session_id: &'a str,
    client_message_id: Option<&'a str>,
    dedup_only: bool,
    now: i64,
}

impl<'a> From<&'a NewMessage> for Question<'a> {
    fn from(send: &'a NewMessage) -> Self {
        Self {
            conversation_id: send.conversation_id.0,
            sender_id: send.sender_id.0,
            session_id: &send.session_id.0,
            client_message_id: send.client_message_id.as_ref().map(ClientMessageId::as_str),
            dedup_only: send.dedup_only,
            now: send.now.0,
        }
    }
}

/// What was stored, and for the rest why not.
fn outcomes(stored: Vec<Option<String>>, ending: Option<String>) -> StoreResult<BatchOutcome> {
    let Ending { epoch, why_not } = decode(&WHY_NOT, ending)?;
    if why_not.len() != stored.len() {
        return Err(too_few(&WHY_NOT));
    }
    let outcomes = stored.into_iter().zip(why_not).map(|(answer, reason)| {
        let outcome = decode_optional(&APPEND, answer)?.unwrap_or(reason);
        Ok(outcome.into())
    });
    Ok(BatchOutcome {
        epoch,
        outcomes: outcomes.collect::<StoreResult<_>>()?,
    })
}

/// The driver broke its contract.
pub(super) fn too_few(statement: &'static Statement) -> StoreError {
    failed(statement)(DriverError::Unexpected(
        "not one answer for each step".to_owned(),
    ))
}
