//! Decodes a driver's results into those of the port.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::driver::{Access, Driver, DriverError, Statement, Step};
use crate::ports::{
    AppendOutcome, Authorized, CreatedConversation, Denied, StoreError, StoreResult, StoredMessage,
};
use colloquy_proto::domain::{Conversation, UserId};

/// `{"ok": …}` or `{"denied": "…"}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthorizedJson<T> {
    Ok(T),
    Denied(Denied),
}

impl<T> From<AuthorizedJson<T>> for Authorized<T> {
    fn from(json: AuthorizedJson<T>) -> Self {
        match json {
            AuthorizedJson::Ok(value) => Ok(value),
            AuthorizedJson::Denied(denied) => Err(denied),
        }
    }
}

/// One send's outcome: `{"stored": [id, seq, number, milliseconds, sender]}` and so on.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeJson {
    Stored(StoredMessage),
    Duplicate(StoredMessage),
    Denied(Denied),
    UnknownReplyTo,
    NotADuplicate,
}

impl From<OutcomeJson> for AppendOutcome {
    fn from(outcome: OutcomeJson) -> Self {
        match outcome {
            OutcomeJson::Stored(message) => Self::Stored(message),
            OutcomeJson::Duplicate(message) => Self::Duplicate(message),
            OutcomeJson::Denied(denied) => Self::Denied(denied),
            OutcomeJson::UnknownReplyTo => Self::UnknownReplyTo,
            OutcomeJson::NotADuplicate => Self::NotADuplicate,
        }
    }
}

/// The outcome of creating a conversation.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CreatedConversationJson {
    Created(Conversation),
    Existing(Conversation),
    Unknown(Vec<UserId>),
}

impl From<CreatedConversationJson> for CreatedConversation {
    fn from(created: CreatedConversationJson) -> Self {
        match created {
            CreatedConversationJson::Created(conversation) => Self::Created(conversation),
            CreatedConversationJson::Existing(conversation) => Self::Existing(conversation),
            CreatedConversationJson::Unknown(ids) => Self::UnknownParticipants(ids),
        }
    }
}

/// Which names of a new account are in use.
#[derive(Deserialize)]
pub(super) struct TakenNames {
    pub(super) username: bool,
    pub(super) email: bool,
}

/// Runs a batch of one step.
pub(super) async fn run_one<D: Driver>(
    driver: &D,
    access: Access,
    step: Step<'_>,
) -> StoreResult<Option<String>> {
    let statement = step.statement;
    let results = driver.run(access, &[step]).await;
    let results = results.map_err(named(statement))?;
    Ok(results.into_iter().next().flatten())
}

/// Decodes a result that must be present.
pub(super) fn decode<T: DeserializeOwned>(
    statement: &Statement,
    json: Option<String>,
) -> StoreResult<T> {
    let json = json
        .ok_or_else(|| StoreError::Unexpected(format!("{} returned no result", statement.name)))?;
    // Only the kind and the position: serde's message may quote a value, such as a message's text.
    serde_json::from_str(&json).map_err(|error| {
        let kind = match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => "invalid JSON",
            Category::Data => "a value of another type",
        };
        let (line, column) = (error.line(), error.column());
        let name = statement.name;
        StoreError::Unexpected(format!(
            "{name} returned {kind} at line {line}, column {column}"
        ))
    })
}

/// Decodes a result that may be absent.
pub(super) fn decode_optional<T: DeserializeOwned>(
    statement: &Statement,
    json: Option<String>,
) -> StoreResult<Option<T>> {
    json.map(|json| decode(statement, Some(json))).transpose()
}

/// Decodes a result that depends on the caller's rights.
pub(super) fn decode_authorized<T: DeserializeOwned>(
    statement: &Statement,
    json: Option<String>,
) -> StoreResult<Authorized<T>> {
    decode::<AuthorizedJson<T>>(statement, json).map(Into::into)
}

/// Adds the statement's name to a driver's error.
pub(super) fn named(statement: &'static Statement) -> impl Fn(DriverError) -> StoreError {
    move |error| match error {
        DriverError::Refused(problem, reason) => {
            StoreError::Refused(problem, format!("{}: {reason}", statement.name))
        }
        DriverError::Unavailable(_) => {
            StoreError::Unavailable(format!("{}: {error}", statement.name))
        }
        DriverError::Constraint(_) | DriverError::Unexpected(_) => {
            StoreError::Unexpected(format!("{}: {error}", statement.name))
        }
    }
}
