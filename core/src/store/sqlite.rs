//! The store over SQLite.
//!
//! Each writing use case is a few guarded statements, always all of them, in one transaction
//! that no other writer interrupts: what a later step may do is decided by what it finds, not by
//! the program, so that the same batch could be sent to D1 in one request.

use async_trait::async_trait;

use super::answer::{Creation, Taken, decode, decode_authorized, decode_optional, failed, run_one};
use super::driver::{Access, Driver, Param, Statement, Step, statement};
use super::input::{change_params, direct_key, ids_json, kind_text, member_params};
use super::reads::{Reads, asked_by, reads};
use super::sqlite_sends::{self, too_few};
use crate::ports::{
    Admission, Authorized, BatchOutcome, CachedSummaries, ChangeOutcome, ConversationPage,
    CreatedConversation, CreatedUser, EventPage, History, HistoryRange, NewMessage, NewSession,
    Rotation, RotationOutcome, Store, StoreResult,
};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, Epoch, MessageId, MessageText,
    NewConversation, NewUser, Position, Seq, SessionId, Timestamp, User, UserId,
};

static READS: Reads = reads!("sqlite");

static CREATE_USER: Statement = statement!("sqlite", "accounts/create_user");
static TAKEN: Statement = statement!("sqlite", "accounts/taken");
static REHASH: Statement = statement!("sqlite", "accounts/rehash");
static OPEN_SESSION: Statement = statement!("sqlite", "sessions/open");
static ROTATE_SESSION: Statement = statement!("sqlite", "sessions/rotate");
static REVOKE_SESSION: Statement = statement!("sqlite", "sessions/revoke");
static JUDGE: Statement = statement!("sqlite", "conversations/judge");
static MAKE: Statement = statement!("sqlite", "conversations/make");
static MADE: Statement = statement!("sqlite", "conversations/made");
static POPULATE: Statement = statement!("sqlite", "conversations/populate");
static CHANGE_MESSAGE: Statement = statement!("sqlite", "changes/message");
static REWRITE: Statement = statement!("sqlite", "changes/rewrite");
static WHY_NOT_MESSAGE: Statement = statement!("sqlite", "changes/why_not_message");
static ADD_MEMBER: Statement = statement!("sqlite", "changes/join");
static ADMIT: Statement = statement!("sqlite", "changes/admit");
static WHY_NOT_JOIN: Statement = statement!("sqlite", "changes/why_not_join");
static REMOVE_MEMBER: Statement = statement!("sqlite", "changes/leave");
static DISMISS: Statement = statement!("sqlite", "changes/dismiss");
static WHY_NOT_LEAVE: Statement = statement!("sqlite", "changes/why_not_leave");
static ADVANCE_CHANGE: Statement = statement!("sqlite", "changes/advance");
static RENEW_EPOCH: Statement = statement!("sqlite", "instance/renew_epoch");

/// A [`Store`] over any driver that speaks SQLite.
#[derive(Debug)]
pub struct SqliteStore<D> {
    driver: D,
}

impl<D: Driver> SqliteStore<D> {
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
        params: Vec<Param<'_>>,
    ) -> StoreResult<Option<String>> {
        run_one(&self.driver, Access::Write, Step::new(statement, params))
            .await
            .map_err(failed(statement))
    }

    /// Notes a change, makes it, moves the conversation on, and asks why not if nothing was noted.
    async fn change(
        &self,
        id: ConversationId,
        note: Step<'_>,
        make: Step<'_>,
        why_not: &'static Statement,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let named = note.statement;
        let params = note.params.clone();
        let steps = [
            note,
            make,
            Step::new(&ADVANCE_CHANGE, [Param::Int(id.0)]),
            Step::new(why_not, params),
        ];
        let [noted, _, _, reason] = self.write_all(steps, named).await?;
        match decode_optional(named, noted)? {
            Some(done) => Ok(Ok(done)),
            None => decode_authorized(why_not, reason),
        }
    }

    /// Runs several steps, as many answers as steps.
    async fn write_all<const N: usize>(
        &self,
        steps: [Step<'_>; N],
        named: &'static Statement,
    ) -> StoreResult<[Option<String>; N]> {
        let answers = self
            .driver
            .run(Access::Write, &steps)
            .await
            .map_err(failed(named))?;
        answers.try_into().map_err(|_| too_few(named))
    }
}

#[async_trait]
impl<D: Driver> Store for SqliteStore<D> {
    async fn create_user(&self, user: &NewUser, now: Timestamp) -> StoreResult<CreatedUser> {
        let (username_key, email_key) = (user.username.to_lowercase(), user.email.to_lowercase());
        let create = Step::new(
            &CREATE_USER,
            [
                Param::Text(&user.username),
                Param::Text(&username_key),
                Param::Text(&user.email),
                Param::Text(&email_key),
                Param::Text(&user.password_hash),
                Param::Text(&user.first_name),
                Param::Text(&user.last_name),
                Param::Int(i64::from(user.is_admin)),
                Param::Int(now.0),
            ],
        );
        let taken = Step::new(
            &TAKEN,
            [Param::Text(&username_key), Param::Text(&email_key)],
        );
        let [created, taken] = self.write_all([create, taken], &CREATE_USER).await?;
        if let Some(user) = decode_optional(&CREATE_USER, created)? {
            return Ok(CreatedUser::Created(user));
        }
        let Taken { username, email } = decode(&TAKEN, taken)?;
        Ok(CreatedUser::Taken { username, email })
    }

    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>> {
        READS.credentials(&self.driver, username).await
    }

    async fn open_session(&self, session: &NewSession) -> StoreResult<bool> {
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
        let answers = self
            .driver
            .run(Access::Write, &steps)
            .await
            .map_err(failed(&OPEN_SESSION))?;
        Ok(answers.into_iter().next().flatten().is_some())
    }

    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome> {
        let params = vec![
            Param::Text(&rotation.session_id.0),
            Param::Int(rotation.user_id.0),
            Param::Int(rotation.generation),
            Param::Int(rotation.now.0),
            Param::Int(rotation.expires_at.0),
        ];
        let answer = self.write(&ROTATE_SESSION, params).await?;
        Ok(decode_optional(&ROTATE_SESSION, answer)?.unwrap_or(RotationOutcome::Refused))
    }

    async fn revoke_session(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let params = vec![
            Param::Text(&session_id.0),
            Param::Int(user_id.0),
            Param::Int(now.0),
        ];
        Ok(self.write(&REVOKE_SESSION, params).await?.is_some())
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
        let mut judged = asked_by(caller, now);
        judged.extend([Param::Text(&others), Param::OptionalText(key.as_deref())]);
        let mut making = judged.clone();
        making.extend([
            Param::Text(kind_text(conversation.kind)),
            Param::OptionalText(conversation.name.as_deref()),
        ]);
        let people = [Param::Int(caller.user_id.0), Param::Text(&others)];
        let steps = [
            Step::new(&JUDGE, judged),
            Step::new(&MAKE, making),
            Step::new(&MADE, people),
            Step::new(&POPULATE, people),
        ];
        let [judgement, _, made, _] = self.write_all(steps, &MAKE).await?;
        if judgement.is_some() {
            return Ok(decode_authorized::<Creation>(&JUDGE, judgement)?.map(Into::into));
        }
        decode::<Conversation>(&MADE, made).map(|made| Ok(CreatedConversation::Created(made)))
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
        sqlite_sends::append(&self.driver, sends).await
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
        let made = [
            Param::Int(id.0),
            Param::Int(message_id.0),
            Param::OptionalText(text.map(MessageText::as_str)),
        ];
        let note = Step::new(&CHANGE_MESSAGE, params);
        self.change(id, note, Step::new(&REWRITE, made), &WHY_NOT_MESSAGE)
            .await
    }

    async fn add_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let note = Step::new(&ADD_MEMBER, member_params(caller, id, user_id, now));
        self.change(id, note, member_step(&ADMIT, id, user_id), &WHY_NOT_JOIN)
            .await
    }

    async fn remove_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let note = Step::new(&REMOVE_MEMBER, member_params(caller, id, user_id, now));
        self.change(id, note, member_step(&DISMISS, id, user_id), &WHY_NOT_LEAVE)
            .await
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
        self.write(&RENEW_EPOCH, vec![Param::Text(&epoch.0)])
            .await
            .map(|_| ())
    }

    async fn ping(&self) -> StoreResult<()> {
        READS.ping(&self.driver).await
    }
}

/// The step that makes a change to a membership.
fn member_step(
    statement: &'static Statement,
    id: ConversationId,
    user_id: UserId,
) -> Step<'static> {
    Step::new(statement, [Param::Int(id.0), Param::Int(user_id.0)])
}
