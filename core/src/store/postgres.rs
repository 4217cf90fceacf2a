//! The store over PostgreSQL: one statement a use case, so one round trip; a second only for a batch
//! of sends that cannot be stored whole.
//!
//! A statement sees the database as it was when it began (READ COMMITTED), also after it has
//! waited for another transaction. Where that transaction may just have made what this one was
//! about to make, the statement says so, or breaks a unique constraint, and is run again: then
//! it sees what is there. Each of those repeats is bounded by [`ATTEMPTS`].

use async_trait::async_trait;
use serde::Deserialize;

use super::answer::{Creation, Taken, decode, decode_authorized, failed, run_one};
use super::driver::{Access, Driver, DriverError, Param, Statement, Step, statement};
use super::input::{change_params, direct_key, ids_json, kind_text, member_params};
use super::postgres_sends;
use super::reads::{Reads, asked_by, reads};
use crate::ports::{
    Admission, Authorized, BatchOutcome, CachedSummaries, ChangeOutcome, ConversationPage,
    CreatedConversation, CreatedUser, EventPage, History, HistoryRange, NewMessage, NewSession,
    Rotation, RotationOutcome, Store, StoreError, StoreResult,
};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, Epoch, MessageId, MessageText,
    NewConversation, NewUser, Position, Seq, SessionId, Timestamp, User, UserId,
};

static READS: Reads = reads!("postgres");

static CREATE_USER: Statement = statement!("postgres", "accounts/create_user");
static OPEN_SESSION: Statement = statement!("postgres", "sessions/open");
static ROTATE_SESSION: Statement = statement!("postgres", "sessions/rotate");
static REVOKE_SESSION: Statement = statement!("postgres", "sessions/revoke");
static CREATE_CONVERSATION: Statement = statement!("postgres", "conversations/create");
static CHANGE_MESSAGE: Statement = statement!("postgres", "changes/message");
static ADD_MEMBER: Statement = statement!("postgres", "changes/join");
static REMOVE_MEMBER: Statement = statement!("postgres", "changes/leave");
static RENEW_EPOCH: Statement = statement!("postgres", "instance/renew_epoch");

/// How often a statement is run when what it waited for has overtaken it. The second run sees
/// it; more are needed only when it has vanished again.
pub(super) const ATTEMPTS: usize = 3;

/// A [`Store`] over any driver that speaks PostgreSQL.
#[derive(Debug)]
pub struct PostgresStore<D> {
    driver: D,
}

/// What `accounts/create_user` answers.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Registration {
    Created(User),
    Taken(Taken),
}

impl<D: Driver> PostgresStore<D> {
    /// A store over this driver. The schema must be there already.
    pub const fn new(driver: D) -> Self {
        Self { driver }
    }

    /// The driver it runs on.
    pub const fn driver(&self) -> &D {
        &self.driver
    }

    async fn write(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> Result<Option<String>, DriverError> {
        run_one(&self.driver, Access::Write, Step::new(statement, params)).await
    }

    /// Runs a statement that answers nothing when it was overtaken.
    async fn change(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        for _ in 0..ATTEMPTS {
            let answer = self.write(statement, params).await;
            if let Some(answer) = answer.map_err(failed(statement))? {
                return decode_authorized(statement, Some(answer));
            }
        }
        Err(unsettled(statement))
    }
}

/// What [`ATTEMPTS`] runs have not settled. Whoever asks again may well find it settled.
pub(super) fn unsettled(statement: &Statement) -> StoreError {
    StoreError::Unavailable(format!("{} was overtaken {ATTEMPTS} times", statement.name))
}

#[async_trait]
impl<D: Driver> Store for PostgresStore<D> {
    async fn create_user(&self, user: &NewUser, now: Timestamp) -> StoreResult<CreatedUser> {
        let (username_key, email_key) = (user.username.to_lowercase(), user.email.to_lowercase());
        let params = [
            Param::Text(&user.username),
            Param::Text(&username_key),
            Param::Text(&user.email),
            Param::Text(&email_key),
            Param::Text(&user.password_hash),
            Param::Text(&user.first_name),
            Param::Text(&user.last_name),
            Param::Int(i64::from(user.is_admin)),
            Param::Int(now.0),
        ];
        for _ in 0..ATTEMPTS {
            let answer = self
                .write(&CREATE_USER, &params)
                .await
                .map_err(failed(&CREATE_USER))?;
            match decode(&CREATE_USER, answer)? {
                Registration::Created(user) => return Ok(CreatedUser::Created(user)),
                Registration::Taken(Taken {
                    username: false,
                    email: false,
                }) => {}
                Registration::Taken(Taken { username, email }) => {
                    return Ok(CreatedUser::Taken { username, email });
                }
            }
        }
        Err(unsettled(&CREATE_USER))
    }

    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>> {
        READS.credentials(&self.driver, username).await
    }

    async fn open_session(&self, session: &NewSession) -> StoreResult<bool> {
        let params = [
            Param::Text(&session.id.0),
            Param::Int(session.user_id.0),
            Param::Int(session.created_at.0),
            Param::Int(session.expires_at.0),
            Param::OptionalText(session.rehashed_password.as_deref()),
        ];
        let answer = self
            .write(&OPEN_SESSION, &params)
            .await
            .map_err(failed(&OPEN_SESSION))?;
        decode(&OPEN_SESSION, answer)
    }

    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome> {
        let params = [
            Param::Text(&rotation.session_id.0),
            Param::Int(rotation.user_id.0),
            Param::Int(rotation.generation),
            Param::Int(rotation.now.0),
            Param::Int(rotation.expires_at.0),
        ];
        let answer = self
            .write(&ROTATE_SESSION, &params)
            .await
            .map_err(failed(&ROTATE_SESSION))?;
        decode(&ROTATE_SESSION, answer)
    }

    async fn revoke_session(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let params = [
            Param::Text(&session_id.0),
            Param::Int(user_id.0),
            Param::Int(now.0),
        ];
        let answer = self
            .write(&REVOKE_SESSION, &params)
            .await
            .map_err(failed(&REVOKE_SESSION))?;
        decode(&REVOKE_SESSION, answer)
    }

    async fn profile(&self, caller: &Caller, now: Timestamp) -> StoreResult<Authorized<User>> {
        READS.profile(&self.driver, caller, now).await
    }

    async fn create_conversation(
        &self,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>> {
        let others = ids_json(conversation.others.iter().map(|id| id.0));
        let key = direct_key(caller, conversation);
        let mut params = asked_by(caller, now);
        params.extend([
            Param::Text(&others),
            Param::OptionalText(key.as_deref()),
            Param::Text(kind_text(conversation.kind)),
            Param::OptionalText(conversation.name.as_deref()),
        ]);
        for _ in 0..ATTEMPTS {
            let answer = self
                .write(&CREATE_CONVERSATION, &params)
                .await
                .map_err(failed(&CREATE_CONVERSATION))?;
            if answer.is_some() {
                let answer = decode_authorized::<Creation>(&CREATE_CONVERSATION, answer)?;
                return Ok(answer.map(Into::into));
            }
        }
        Err(unsettled(&CREATE_CONVERSATION))
    }

    async fn conversations(
        &self,
        caller: &Caller,
        after: Option<(Timestamp, ConversationId)>,
        limit: i64,
        held: &CachedSummaries,
        now: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>> {
        READS
            .conversations(&self.driver, caller, after, limit, held, now)
            .await
    }

    async fn conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Conversation>> {
        READS.conversation(&self.driver, caller, id, now).await
    }

    async fn position(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Position>> {
        READS.position(&self.driver, caller, id, now).await
    }

    async fn messages(
        &self,
        caller: &Caller,
        id: ConversationId,
        page: HistoryRange,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<History>> {
        READS
            .messages(&self.driver, caller, id, page, limit, now)
            .await
    }

    async fn admit(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Admission>> {
        READS.admit(&self.driver, caller, id, now).await
    }

    async fn append(&self, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
        postgres_sends::append(&self.driver, sends).await
    }

    async fn edit_message(
        &self,
        caller: &Caller,
        id: ConversationId,
        message_id: MessageId,
        text: Option<&MessageText>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let params = change_params(caller, id, message_id, text, now);
        self.change(&CHANGE_MESSAGE, &params).await
    }

    async fn add_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let params = member_params(caller, id, user_id, now);
        self.change(&ADD_MEMBER, &params).await
    }

    async fn remove_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let params = member_params(caller, id, user_id, now);
        self.change(&REMOVE_MEMBER, &params).await
    }

    async fn events(
        &self,
        id: ConversationId,
        since: Seq,
        limit: i64,
    ) -> StoreResult<Option<EventPage>> {
        READS.events(&self.driver, id, since, limit).await
    }

    async fn renew_epoch(&self, epoch: &Epoch) -> StoreResult<()> {
        let params = [Param::Text(&epoch.0)];
        let answer = self
            .write(&RENEW_EPOCH, &params)
            .await
            .map_err(failed(&RENEW_EPOCH))?;
        decode::<bool>(&RENEW_EPOCH, answer).map(|_| ())
    }

    async fn ping(&self) -> StoreResult<()> {
        READS.ping(&self.driver).await
    }
}
