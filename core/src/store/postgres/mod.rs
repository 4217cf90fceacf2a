//! The writes over PostgreSQL: one statement per use case, so one round trip; a second one only for
//! a batch of sends that cannot be stored whole, or after a concurrent transaction ([`retry`]).

mod append;
mod append_params;
mod array_text;
mod retry;

use serde::Deserialize;

use self::retry::{ATTEMPTS, overtaken};
use super::decode::{
    CreatedConversationJson, TakenNames, decode, decode_authorized, decode_optional, run_one,
};
use super::dialect::{Change, Dialect, Statements, statements};
use super::driver::{Access, Driver, Param, Statement, Step, statement};
use super::params::{
    UserKeys, caller_params, change_params, device_param, direct_key, ids_json, kind_text,
    rotation_params, user_params,
};
use crate::ports::{
    Authorized, BatchOutcome, ChangeOutcome, CreatedConversation, CreatedUser, NewMessage,
    NewSession, Rotation, RotationOutcome, StoreResult,
};
use colloquy_proto::domain::{Caller, ConversationId, NewConversation, NewUser, Timestamp, User};

static STATEMENTS: Statements = statements!("postgres");

static PROBE: Statement = statement!("postgres", "instance/probe");
static CREATE_USER: Statement = statement!("postgres", "accounts/create_user");
static OPEN_SESSION: Statement = statement!("postgres", "sessions/open");
static ROTATE_SESSION: Statement = statement!("postgres", "sessions/rotate");
static CREATE_CONVERSATION: Statement = statement!("postgres", "conversations/create");
static EDIT_MESSAGE: Statement = statement!("postgres", "messages/edit");
static ADD_MEMBER: Statement = statement!("postgres", "members/add");
static REMOVE_MEMBER: Statement = statement!("postgres", "members/remove");

/// PostgreSQL.
#[derive(Debug)]
pub enum Postgres {}

/// The result of `accounts/create_user`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CreatedUserJson {
    Created(User),
    Taken(TakenNames),
}

impl Dialect for Postgres {
    const STATEMENTS: &'static Statements = &STATEMENTS;

    async fn probe<D: Driver>(driver: &D) -> StoreResult<()> {
        let row = run_one(driver, Access::Probe, Step::new(&PROBE, [])).await?;
        decode::<i64>(&PROBE, row).map(drop)
    }

    async fn create_user<D: Driver>(
        driver: &D,
        user: &NewUser,
        now: Timestamp,
    ) -> StoreResult<CreatedUser> {
        let keys = UserKeys::of(user);
        let params = user_params(user, &keys, now);
        for _ in 0..ATTEMPTS {
            let row = write(driver, &CREATE_USER, &params).await?;
            match decode(&CREATE_USER, row)? {
                CreatedUserJson::Created(user) => return Ok(CreatedUser::Created(user)),
                CreatedUserJson::Taken(TakenNames {
                    username: false,
                    email: false,
                }) => {}
                CreatedUserJson::Taken(TakenNames { username, email }) => {
                    return Ok(CreatedUser::Taken { username, email });
                }
            }
        }
        Err(overtaken(&CREATE_USER))
    }

    async fn open_session<D: Driver>(driver: &D, session: &NewSession) -> StoreResult<bool> {
        let params = [
            Param::Text(&session.id.0),
            Param::Int(session.user_id.0),
            Param::Int(session.created_at.0),
            Param::Int(session.expires_at.0),
            Param::OptionalText(session.rehashed_password.as_deref()),
            device_param(session.device.as_ref()),
        ];
        let row = write(driver, &OPEN_SESSION, &params).await?;
        Ok(row.is_some())
    }

    async fn rotate_session<D: Driver>(
        driver: &D,
        rotation: &Rotation,
    ) -> StoreResult<RotationOutcome> {
        let mut params = rotation_params(rotation);
        params.push(device_param(rotation.device.as_ref()));
        let row = write(driver, &ROTATE_SESSION, &params).await?;
        let outcome = decode_optional(&ROTATE_SESSION, row)?;
        Ok(outcome.unwrap_or(RotationOutcome::Refused))
    }

    async fn create_conversation<D: Driver>(
        driver: &D,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>> {
        let others = ids_json(conversation.others.iter().map(|id| id.0));
        let key = direct_key(caller, conversation);
        let mut params = caller_params(caller, now);
        params.extend([
            Param::Text(&others),
            Param::OptionalText(key.as_deref()),
            Param::Text(kind_text(conversation.kind)),
            Param::OptionalText(conversation.name.as_deref()),
        ]);
        let row = write_settled(driver, &CREATE_CONVERSATION, &params).await?;
        let created = decode_authorized::<CreatedConversationJson>(&CREATE_CONVERSATION, row)?;
        Ok(created.map(Into::into))
    }

    async fn append<D: Driver>(driver: &D, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
        append::append(driver, sends).await
    }

    async fn change<D: Driver>(
        driver: &D,
        caller: &Caller,
        conversation_id: ConversationId,
        change: Change<'_>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let statement = match change {
            Change::EditMessage(..) => &EDIT_MESSAGE,
            Change::AddMember(..) => &ADD_MEMBER,
            Change::RemoveMember(_) => &REMOVE_MEMBER,
        };
        let params = change_params(caller, conversation_id, change, now);
        decode_authorized(statement, write_settled(driver, statement, &params).await?)
    }
}

async fn write<D: Driver>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> StoreResult<Option<String>> {
    run_one(driver, Access::Write, Step::new(statement, params)).await
}

/// Runs a statement that returns null when it was overtaken.
async fn write_settled<D: Driver>(
    driver: &D,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> StoreResult<Option<String>> {
    for _ in 0..ATTEMPTS {
        let row = write(driver, statement, params).await?;
        if row.is_some() {
            return Ok(row);
        }
    }
    Err(overtaken(statement))
}
