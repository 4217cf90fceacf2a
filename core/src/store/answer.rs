//! From what a driver answers to what the port promises.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::driver::{Access, Driver, DriverError, Statement, Step};
use crate::ports::{
    AppendOutcome, Authorized, CreatedConversation, Denied, StoreError, StoreResult, StoredMessage,
};
use colloquy_proto::domain::{Conversation, UserId};

/// `{"ok": …}` or `{"denied": "…"}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer<T> {
    Ok(T),
    Denied(Denied),
}

impl<T> From<Answer<T>> for Authorized<T> {
    fn from(answer: Answer<T>) -> Self {
        match answer {
            Answer::Ok(value) => Ok(value),
            Answer::Denied(denied) => Err(denied),
        }
    }
}

/// One send's outcome: `{"stored": [id, seq, number, milliseconds, sender]}` and so on.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Stored(StoredMessage),
    Duplicate(StoredMessage),
    Denied(Denied),
    UnknownReplyTo,
    NotADuplicate,
}

impl From<Outcome> for AppendOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored(message) => Self::Stored(message),
            Outcome::Duplicate(message) => Self::Duplicate(message),
            Outcome::Denied(denied) => Self::Denied(denied),
            Outcome::UnknownReplyTo => Self::UnknownReplyTo,
            Outcome::NotADuplicate => Self::NotADuplicate,
        }
    }
}

/// What became of a conversation to be made.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Creation {
    Created(Conversation),
    Existing(Conversation),
    Unknown(Vec<UserId>),
}

impl From<Creation> for CreatedConversation {
    fn from(creation: Creation) -> Self {
        match creation {
            Creation::Created(conversation) => Self::Created(conversation),
            Creation::Existing(conversation) => Self::Existing(conversation),
            Creation::Unknown(ids) => Self::UnknownParticipants(ids),
        }
    }
}

/// Which names of an account to be made were in use.
#[derive(Deserialize)]
pub(super) struct Taken {
    pub(super) username: bool,
    pub(super) email: bool,
}

/// Runs a batch of one step.
pub(super) async fn run_one<D: Driver>(
    driver: &D,
    access: Access,
    step: Step<'_>,
) -> Result<Option<String>, DriverError> {
    let answers = driver.run(access, &[step]).await?;
    Ok(answers.into_iter().next().flatten())
}

/// Reads an answer that must be there.
pub(super) fn decode<T: DeserializeOwned>(
    statement: &Statement,
    answer: Option<String>,
) -> StoreResult<T> {
    let answer = answer.ok_or_else(|| {
        StoreError::Unexpected(format!("{} came back without an answer", statement.name))
    })?;
    // serde's message names the place, and of the data at most a misplaced value's type or tag.
    serde_json::from_str(&answer)
        .map_err(|error| StoreError::Unexpected(format!("{}: {error}", statement.name)))
}

/// Reads an answer that may be absent.
pub(super) fn decode_optional<T: DeserializeOwned>(
    statement: &Statement,
    answer: Option<String>,
) -> StoreResult<Option<T>> {
    answer
        .map(|answer| decode(statement, Some(answer)))
        .transpose()
}

/// Reads an answer that depends on who asked.
pub(super) fn decode_authorized<T: DeserializeOwned>(
    statement: &Statement,
    answer: Option<String>,
) -> StoreResult<Authorized<T>> {
    decode::<Answer<T>>(statement, answer).map(Into::into)
}

/// Names the statement in a driver's error.
pub(super) fn failed(statement: &'static Statement) -> impl Fn(DriverError) -> StoreError {
    move |error| match error {
        DriverError::Unavailable(_) => {
            StoreError::Unavailable(format!("{}: {error}", statement.name))
        }
        DriverError::Constraint(_) | DriverError::Unexpected(_) => {
            StoreError::Unexpected(format!("{}: {error}", statement.name))
        }
    }
}
