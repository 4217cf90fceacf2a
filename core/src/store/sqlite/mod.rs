//! The writes over SQLite.
//!
//! Each is a few guarded statements, always all of them, in one transaction that no other writer
//! interrupts. What a later step does depends on what it finds in the database, not on the program,
//! so that the same batch could be sent to D1 in one request.

mod append;

use super::decode::{
    CreatedConversationJson, TakenNames, decode, decode_authorized, decode_optional, named,
};
use super::dialect::{Change, Dialect, Statements, statements};
use super::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use super::params::{
    UserKeys, caller_params, change_params, direct_key, ids_json, kind_text, rotation_params,
    user_params,
};
use crate::ports::{
    Authorized, BatchOutcome, ChangeOutcome, CreatedConversation, CreatedUser, NewMessage,
    NewSession, Rotation, RotationOutcome, StoreError, StoreResult,
};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, DeviceKey, MessageText, NewConversation, NewUser,
    SessionId, Timestamp,
};

static STATEMENTS: Statements = statements!("sqlite");

static PROBE: Statement = statement!("sqlite", "instance/probe");
static READ_PROBE: Statement = statement!("sqlite", "instance/read_probe");
static CREATE_USER: Statement = statement!("sqlite", "accounts/create_user");
static EXPLAIN_CREATE_USER: Statement = statement!("sqlite", "accounts/explain_create");
static REHASH: Statement = statement!("sqlite", "accounts/rehash");
static OPEN_SESSION: Statement = statement!("sqlite", "sessions/open");
static ROTATE_SESSION: Statement = statement!("sqlite", "sessions/rotate");
static REMEMBER_DEVICE: Statement = statement!("sqlite", "sessions/remember_device");
static FORGET_DEVICES: Statement = statement!("sqlite", "sessions/forget_devices");
static FIND_EXISTING: Statement = statement!("sqlite", "conversations/find_existing");
static CREATE_CONVERSATION: Statement = statement!("sqlite", "conversations/create");
static READ_CREATED: Statement = statement!("sqlite", "conversations/read_created");
static ADD_PARTICIPANTS: Statement = statement!("sqlite", "conversations/add_participants");
static EDIT_MESSAGE: Statement = statement!("sqlite", "messages/edit");
static UPDATE_TEXT: Statement = statement!("sqlite", "messages/update_text");
static EXPLAIN_EDIT: Statement = statement!("sqlite", "messages/explain_edit");
static ADD_MEMBER: Statement = statement!("sqlite", "members/add");
static INSERT_MEMBER: Statement = statement!("sqlite", "members/insert");
static EXPLAIN_ADD: Statement = statement!("sqlite", "members/explain_add");
static REMOVE_MEMBER: Statement = statement!("sqlite", "members/remove");
static DELETE_MEMBER: Statement = statement!("sqlite", "members/delete");
static EXPLAIN_REMOVE: Statement = statement!("sqlite", "members/explain_remove");
static ADVANCE: Statement = statement!("sqlite", "conversations/advance_to_change");

/// SQLite.
#[derive(Debug)]
pub enum Sqlite {}

impl Dialect for Sqlite {
    const STATEMENTS: &'static Statements = &STATEMENTS;

    async fn probe<D: Driver>(driver: &D) -> StoreResult<()> {
        let steps = [Step::new(&PROBE, []), Step::new(&READ_PROBE, [])];
        let results = driver.run(Access::Probe, &steps).await;
        let results = results.map_err(named(&PROBE))?;
        let [written, read] = results.try_into().map_err(|_| wrong_count(&PROBE))?;
        decode::<i64>(&PROBE, written)?;
        decode::<i64>(&READ_PROBE, read).map(drop)
    }

    async fn create_user<D: Driver>(
        driver: &D,
        user: &NewUser,
        now: Timestamp,
    ) -> StoreResult<CreatedUser> {
        let keys = UserKeys::of(user);
        let steps = [
            Step::new(&CREATE_USER, user_params(user, &keys, now)),
            Step::new(&EXPLAIN_CREATE_USER, keys.params()),
        ];
        let [created, taken] = write_all(driver, steps, &CREATE_USER).await?;
        if let Some(user) = decode_optional(&CREATE_USER, created)? {
            return Ok(CreatedUser::Created(user));
        }
        let TakenNames { username, email } = decode(&EXPLAIN_CREATE_USER, taken)?;
        Ok(CreatedUser::Taken { username, email })
    }

    async fn open_session<D: Driver>(driver: &D, session: &NewSession) -> StoreResult<bool> {
        let mut steps = vec![Step::new(
            &OPEN_SESSION,
            [
                Param::Text(&session.id.0),
                Param::Int(session.user_id.0),
                Param::Int(session.created_at.0),
                Param::Int(session.expires_at.0),
            ],
        )];
        if let Some(hash) = &session.rehashed_password {
            steps.push(Step::new(
                &REHASH,
                [Param::Int(session.user_id.0), Param::Text(hash)],
            ));
        }
        let device = session.device.as_ref();
        steps.extend(device_steps(&session.id, 0, device, session.created_at));
        let results = driver.run(Access::Write, &steps).await;
        let results = results.map_err(named(&OPEN_SESSION))?;
        Ok(results.into_iter().next().flatten().is_some())
    }

    async fn rotate_session<D: Driver>(
        driver: &D,
        rotation: &Rotation,
    ) -> StoreResult<RotationOutcome> {
        let mut steps = vec![Step::new(&ROTATE_SESSION, rotation_params(rotation))];
        let (device, next) = (
            rotation.device.as_ref(),
            rotation.generation.saturating_add(1),
        );
        steps.extend(device_steps(
            &rotation.session_id,
            next,
            device,
            rotation.now,
        ));
        let results = driver.run(Access::Write, &steps).await;
        let results = results.map_err(named(&ROTATE_SESSION))?;
        let row = results.into_iter().next().flatten();
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
        let mut find = caller_params(caller, now);
        find.extend([Param::Text(&others), Param::OptionalText(key.as_deref())]);
        let mut create = find.clone();
        create.extend([
            Param::Text(kind_text(conversation.kind)),
            Param::OptionalText(conversation.name.as_deref()),
        ]);
        let participants = [Param::Int(caller.user_id.0), Param::Text(&others)];
        let steps = [
            Step::new(&FIND_EXISTING, find),
            Step::new(&CREATE_CONVERSATION, create),
            Step::new(&READ_CREATED, participants),
            Step::new(&ADD_PARTICIPANTS, participants),
        ];
        let [found, _, created, _] = write_all(driver, steps, &CREATE_CONVERSATION).await?;
        if found.is_some() {
            let found = decode_authorized::<CreatedConversationJson>(&FIND_EXISTING, found)?;
            return Ok(found.map(Into::into));
        }
        let created = decode::<Conversation>(&READ_CREATED, created)?;
        Ok(Ok(CreatedConversation::Created(created)))
    }

    async fn append<D: Driver>(driver: &D, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
        append::append(driver, sends).await
    }

    /// Records the event, makes the change, advances the conversation, and explains if nothing was
    /// recorded.
    async fn change<D: Driver>(
        driver: &D,
        caller: &Caller,
        conversation_id: ConversationId,
        change: Change<'_>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let [record, apply, explain] = match change {
            Change::EditMessage(..) => [&EDIT_MESSAGE, &UPDATE_TEXT, &EXPLAIN_EDIT],
            Change::AddMember(..) => [&ADD_MEMBER, &INSERT_MEMBER, &EXPLAIN_ADD],
            Change::RemoveMember(_) => [&REMOVE_MEMBER, &DELETE_MEMBER, &EXPLAIN_REMOVE],
        };
        let params = change_params(caller, conversation_id, change, now);
        let steps = [
            Step::new(record, params.clone()),
            Step::new(apply, apply_params(conversation_id, change)),
            Step::new(&ADVANCE, [Param::Int(conversation_id.0)]),
            Step::new(explain, params),
        ];
        let [recorded, _, _, reason] = write_all(driver, steps, record).await?;
        match decode_optional(record, recorded)? {
            Some(done) => Ok(Ok(done)),
            None => decode_authorized(explain, reason),
        }
    }
}

/// The steps that remember the device of a session, if it is valid and has this generation.
fn device_steps<'a>(
    session_id: &'a SessionId,
    generation: i64,
    device: Option<&'a DeviceKey>,
    now: Timestamp,
) -> impl Iterator<Item = Step<'a>> {
    let steps = device.map(|device| {
        let [session_id, key] = [&session_id.0, &device.0].map(|text| Param::Text(text));
        let (now, generation) = (Param::Int(now.0), Param::Int(generation));
        [
            Step::new(&REMEMBER_DEVICE, [session_id, key, now, generation]),
            Step::new(&FORGET_DEVICES, [session_id, key, now]),
        ]
    });
    steps.into_iter().flatten()
}

/// The parameters of the step that makes a change.
fn apply_params(conversation_id: ConversationId, change: Change<'_>) -> Vec<Param<'_>> {
    let conversation = Param::Int(conversation_id.0);
    match change {
        Change::EditMessage(message_id, text) => vec![
            conversation,
            Param::Int(message_id.0),
            Param::OptionalText(text.map(MessageText::as_str)),
        ],
        Change::AddMember(user_id, _) | Change::RemoveMember(user_id) => {
            vec![conversation, Param::Int(user_id.0)]
        }
    }
}

/// Runs the steps as one write. An error names the given statement.
async fn write_all<D: Driver, const N: usize>(
    driver: &D,
    steps: [Step<'_>; N],
    statement: &'static Statement,
) -> StoreResult<[Option<String>; N]> {
    let results = driver.run(Access::Write, &steps).await;
    let results = results.map_err(named(statement))?;
    results.try_into().map_err(|_| wrong_count(statement))
}

/// The driver broke its contract.
fn wrong_count(statement: &'static Statement) -> StoreError {
    named(statement)(DriverError::Unexpected(
        "the number of results is not the number of steps".to_owned(),
    ))
}
