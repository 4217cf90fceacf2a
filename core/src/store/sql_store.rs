//! The store, over any driver and dialect.

use std::marker::PhantomData;

use async_trait::async_trait;

use super::conversation_page::ConversationPageRow;
use super::decode::{decode, decode_authorized, decode_optional, run_one};
use super::dialect::{Change, Dialect};
use super::driver::{Access, Driver, Param, Statement, Step};
use super::params::{NumberWindow, caller_params, seqs_json};
use crate::page_size::MAX_LIST_BYTES;
use crate::ports::{
    AccountKeys, AccountWithoutKeys, Admission, Authorized, BatchOutcome, CachedSummaries,
    ChangeOutcome, ConversationPage, CreatedConversation, CreatedUser, EventPage, History,
    HistoryRange, NewMessage, NewSession, Rotation, RotationOutcome, Store, StoreError,
    StoreResult,
};
use crate::unicode::{lowercase_key, username_key};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, Epoch, ListPosition, Member, MessageId,
    MessageText, NewConversation, NewUser, Position, Seq, SessionId, Timestamp, User, UserId,
};

/// A [`Store`] over any driver that speaks the dialect.
#[derive(Debug)]
pub struct SqlStore<D, L> {
    driver: D,
    dialect: PhantomData<L>,
}

impl<D: Driver, L: Dialect> SqlStore<D, L> {
    /// A store over this driver. The schema must exist already.
    pub const fn new(driver: D) -> Self {
        Self {
            driver,
            dialect: PhantomData,
        }
    }

    /// The driver it runs on.
    pub const fn driver(&self) -> &D {
        &self.driver
    }

    /// Runs one statement.
    async fn run(
        &self,
        access: Access,
        statement: &'static Statement,
        params: Vec<Param<'_>>,
    ) -> StoreResult<Option<String>> {
        run_one(&self.driver, access, Step::new(statement, params)).await
    }

    /// Runs a statement about one conversation that reads a few rows by their keys.
    async fn look_up(
        &self,
        statement: &'static Statement,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Option<String>> {
        let mut params = caller_params(caller, now);
        params.push(Param::Int(conversation_id.0));
        self.run(Access::Lookup, statement, params).await
    }
}

#[async_trait]
impl<D: Driver, L: Dialect> Store for SqlStore<D, L> {
    async fn create_user(&self, user: &NewUser, now: Timestamp) -> StoreResult<CreatedUser> {
        L::create_user(&self.driver, user, now).await
    }

    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>> {
        let statement = &L::STATEMENTS.credentials;
        let (key, lowercase) = (username_key(username), lowercase_key(username));
        let params = vec![Param::Text(&key), Param::Text(&lowercase)];
        decode_optional(
            statement,
            self.run(Access::Lookup, statement, params).await?,
        )
    }

    async fn accounts_without_keys(
        &self,
        after: UserId,
        limit: i64,
    ) -> StoreResult<Vec<AccountWithoutKeys>> {
        let statement = &L::STATEMENTS.accounts_without_keys;
        let params = vec![Param::Int(after.0), Param::Int(limit.max(0))];
        decode(statement, self.run(Access::Read, statement, params).await?)
    }

    async fn set_account_keys(&self, keys: &[AccountKeys]) -> StoreResult<()> {
        let keys: Vec<_> = keys
            .iter()
            .map(|keys| (keys.id, &keys.username, &keys.email))
            .collect();
        let keys = serde_json::json!(keys).to_string();
        let params = vec![Param::Text(&keys)];
        self.run(Access::Write, &L::STATEMENTS.set_account_keys, params)
            .await
            .map(drop)
    }

    async fn open_session(&self, session: &NewSession) -> StoreResult<bool> {
        L::open_session(&self.driver, session).await
    }

    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome> {
        L::rotate_session(&self.driver, rotation).await
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
        let statement = &L::STATEMENTS.revoke_session;
        let row = self.run(Access::Write, statement, params).await?;
        Ok(row.is_some())
    }

    async fn profile(&self, caller: &Caller, now: Timestamp) -> StoreResult<Authorized<User>> {
        let statement = &L::STATEMENTS.profile;
        let params = caller_params(caller, now);
        decode_authorized(
            statement,
            self.run(Access::Lookup, statement, params).await?,
        )
    }

    async fn create_conversation(
        &self,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>> {
        L::create_conversation(&self.driver, caller, conversation, now).await
    }

    async fn conversations(
        &self,
        caller: &Caller,
        after: Option<(ListPosition, ConversationId)>,
        limit: i64,
        cached: &CachedSummaries,
        now: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>> {
        let statement = &L::STATEMENTS.conversations;
        let seqs = seqs_json(&cached.at);
        let mut params = caller_params(caller, now);
        params.push(Param::OptionalInt(after.map(|(position, _)| position.0)));
        params.push(Param::OptionalInt(after.map(|(_, id)| id.0)));
        params.push(Param::Int(limit.max(0)));
        params.push(Param::OptionalText(
            cached.epoch.as_ref().map(|epoch| &*epoch.0),
        ));
        params.push(Param::Text(&seqs));
        params.push(Param::Int(MAX_LIST_BYTES));
        let row = self.run(Access::Read, statement, params).await?;
        let page = match decode_authorized::<ConversationPageRow>(statement, row)? {
            Ok(row) => row.into_page(caller.user_id),
            Err(denied) => return Ok(Err(denied)),
        };
        page.map(Ok).ok_or_else(|| {
            StoreError::Unexpected(format!("{} lists an unknown user", statement.name))
        })
    }

    async fn conversation(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Conversation>> {
        let statement = &L::STATEMENTS.conversation;
        let mut params = caller_params(caller, now);
        params.push(Param::Int(conversation_id.0));
        decode_authorized(statement, self.run(Access::Read, statement, params).await?)
    }

    async fn position(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Position>> {
        let statement = &L::STATEMENTS.position;
        let row = self.look_up(statement, caller, conversation_id, now);
        decode_authorized(statement, row.await?)
    }

    async fn messages(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        range: HistoryRange,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<History>> {
        let statement = &L::STATEMENTS.messages;
        let window = NumberWindow::new(range, limit);
        let mut params = caller_params(caller, now);
        params.extend([
            Param::Int(conversation_id.0),
            Param::Int(window.below),
            Param::Int(window.below_limit),
            Param::Int(window.above),
            Param::Int(window.above_limit),
            Param::Int(window.bytes),
        ]);
        decode_authorized(statement, self.run(Access::Read, statement, params).await?)
    }

    async fn members(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        after: UserId,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<Vec<Member>>> {
        let statement = &L::STATEMENTS.members;
        let mut params = caller_params(caller, now);
        params.extend([
            Param::Int(conversation_id.0),
            Param::Int(after.0),
            Param::Int(limit.max(0)),
        ]);
        decode_authorized(statement, self.run(Access::Read, statement, params).await?)
    }

    async fn admit(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Admission>> {
        let statement = &L::STATEMENTS.admit;
        let row = self.look_up(statement, caller, conversation_id, now);
        decode_authorized(statement, row.await?)
    }

    async fn append(&self, sends: &[NewMessage]) -> StoreResult<BatchOutcome> {
        L::append(&self.driver, sends).await
    }

    async fn edit_message(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        message_id: MessageId,
        text: Option<&MessageText>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let change = Change::EditMessage(message_id, text);
        L::change(&self.driver, caller, conversation_id, change, now).await
    }

    async fn add_member(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        user_id: UserId,
        max_members: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let change = Change::AddMember(user_id, max_members);
        L::change(&self.driver, caller, conversation_id, change, now).await
    }

    async fn remove_member(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        let change = Change::RemoveMember(user_id);
        L::change(&self.driver, caller, conversation_id, change, now).await
    }

    async fn events(
        &self,
        conversation_id: ConversationId,
        since: Seq,
        limit: i64,
    ) -> StoreResult<Option<EventPage>> {
        let statement = &L::STATEMENTS.events;
        let params = vec![
            Param::Int(conversation_id.0),
            Param::Int(since.0.max(0)),
            Param::Int(limit.max(0)),
        ];
        decode_optional(statement, self.run(Access::Read, statement, params).await?)
    }

    async fn renew_epoch(&self, epoch: &Epoch) -> StoreResult<()> {
        let params = vec![Param::Text(&epoch.0)];
        self.run(Access::Write, &L::STATEMENTS.renew_epoch, params)
            .await
            .map(drop)
    }

    async fn probe(&self) -> StoreResult<()> {
        L::probe(&self.driver).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::store::driver::DriverError;
    use crate::store::{PostgresStore, SqliteStore};

    /// Records the access of each statement, and returns no row.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<(&'static str, Access)>>);

    #[async_trait]
    impl Driver for &Recorder {
        async fn run(
            &self,
            access: Access,
            steps: &[Step<'_>],
        ) -> Result<Vec<Option<String>>, DriverError> {
            let mut recorded = self.0.lock().unwrap();
            recorded.extend(steps.iter().map(|step| (step.statement.name, access)));
            Ok(vec![None; steps.len()])
        }
    }

    /// Calls every method that reads. Their results are errors, since no row is returned.
    async fn read_everything(store: &dyn Store) {
        let caller = Caller {
            user_id: UserId(1),
            session_id: SessionId("s1".into()),
            expires_at: Timestamp(9),
        };
        let (id, now) = (ConversationId(1), Timestamp(1));
        let filled = CachedSummaries {
            epoch: Some(Epoch("e".into())),
            at: vec![(id, Seq(1))],
        };
        drop(store.credentials("ann").await);
        drop(store.profile(&caller, now).await);
        drop(store.position(&caller, id, now).await);
        drop(store.admit(&caller, id, now).await);
        drop(store.conversation(&caller, id, now).await);
        drop(store.members(&caller, id, UserId(0), 100, now).await);
        for cached in [CachedSummaries::default(), filled] {
            drop(store.conversations(&caller, None, 200, &cached, now).await);
        }
        let history = store.messages(&caller, id, HistoryRange::Latest, 100, now);
        drop(history.await);
        drop(store.events(id, Seq(0), 300).await);
    }

    /// INVARIANT: only what reads a few rows by their keys is a lookup, which SQLite runs on the
    /// thread that also serves other requests. A statement whose work grows with members,
    /// messages or conversations runs elsewhere.
    #[test]
    fn only_statements_that_read_a_few_rows_are_lookups() {
        let (one, other) = (Recorder::default(), Recorder::default());
        let stores: [&dyn Store; 2] = [&PostgresStore::new(&one), &SqliteStore::new(&other)];
        for (store, recorder) in stores.into_iter().zip([&one, &other]) {
            read_everything(store).now_or_never().unwrap();
            let recorded = recorder.0.lock().unwrap();
            let of = |wanted| -> Vec<&str> {
                let found = recorded.iter().filter(|(_, access)| *access == wanted);
                found.map(|(name, _)| *name).collect()
            };
            let lookups = [
                "accounts/credentials",
                "accounts/profile",
                "conversations/position",
                "sockets/admit",
            ];
            assert_eq!(of(Access::Lookup), lookups);
            assert_eq!(of(Access::Read).len(), 6);
        }
    }
}
