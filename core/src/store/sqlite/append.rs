//! A batch of sends in SQLite: a guarded insert for each, then two steps for all of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::wrong_count;
use crate::ports::{BatchOutcome, NewMessage, StoreError, StoreResult};
use crate::store::decode::{OutcomeJson, decode, decode_optional, named};
use crate::store::driver::{Access, Driver, Param, Statement, Step, statement};
use crate::store::params::{ids_json, mentions_json};
use colloquy_proto::domain::{ClientMessageId, Epoch};

static APPEND: Statement = statement!("sqlite", "messages/append");
static ADVANCE: Statement = statement!("sqlite", "conversations/advance_to_newest");
static EXPLAIN: Statement = statement!("sqlite", "messages/explain_append");

/// Stores the batch; the contract is that of `Store::append`.
pub(super) async fn append<D: Driver>(
    driver: &D,
    sends: &[NewMessage],
) -> StoreResult<BatchOutcome> {
    let mentions: Vec<_> = sends.iter().map(mentions_json).collect();
    let conversations: BTreeSet<_> = sends.iter().map(|send| send.conversation_id.0).collect();
    let conversations = ids_json(conversations);
    let keys: Vec<_> = sends.iter().map(SendKey::from).collect();
    let keys =
        serde_json::to_string(&keys).map_err(|error| StoreError::Unexpected(error.to_string()))?;

    let mut steps: Vec<_> = sends
        .iter()
        .zip(&mentions)
        .map(|(send, mentions)| append_step(send, mentions.as_deref()))
        .collect();
    steps.push(Step::new(&ADVANCE, [Param::Text(&conversations)]));
    steps.push(Step::new(&EXPLAIN, [Param::Text(&keys)]));
    let results = driver.run(Access::Write, &steps).await;
    let mut results = results.map_err(named(&APPEND))?;
    if results.len() != steps.len() {
        return Err(wrong_count(&APPEND));
    }
    let explanation = results.pop().flatten();
    results.truncate(sends.len());
    outcomes(results, explanation)
}

/// The step that stores one send.
fn append_step<'a>(send: &'a NewMessage, mentions: Option<&'a str>) -> Step<'a> {
    let client_message_id = send.client_message_id.as_ref().map(ClientMessageId::as_str);
    Step::new(
        &APPEND,
        [
            Param::Int(send.sender_id.0),
            Param::Text(&send.session_id.0),
            Param::Int(send.now.0),
            Param::Int(send.conversation_id.0),
            Param::Text(send.message.as_str()),
            Param::OptionalText(client_message_id),
            Param::OptionalInt(send.reply_to.map(|id| id.0)),
            Param::OptionalText(mentions),
            Param::Int(i64::from(send.dedup_only)),
        ],
    )
}

/// The result of `messages/explain_append`: for each send why it was not stored; meaningless for a
/// send that was.
#[derive(Deserialize)]
struct Explanation {
    epoch: Epoch,
    reasons: Vec<OutcomeJson>,
}

/// A send as `messages/explain_append` takes it.
#[derive(Serialize)]
struct SendKey<'a> {
    conversation_id: i64,
    sender_id: i64,
    session_id: &'a str,
    client_message_id: Option<&'a str>,
    dedup_only: bool,
    now: i64,
}

impl<'a> From<&'a NewMessage> for SendKey<'a> {
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

/// Each send's outcome: stored, or the reason why not.
fn outcomes(stored: Vec<Option<String>>, explanation: Option<String>) -> StoreResult<BatchOutcome> {
    let Explanation { epoch, reasons } = decode(&EXPLAIN, explanation)?;
    if reasons.len() != stored.len() {
        return Err(wrong_count(&EXPLAIN));
    }
    let outcomes = stored.into_iter().zip(reasons).map(|(row, reason)| {
        let outcome = decode_optional(&APPEND, row)?.unwrap_or(reason);
        Ok(outcome.into())
    });
    Ok(BatchOutcome {
        epoch,
        outcomes: outcomes.collect::<StoreResult<_>>()?,
    })
}
