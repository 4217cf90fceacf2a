//! The port of the database: its contract, method by method.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use super::{
    AccountKeys, AccountWithoutKeys, Admission, BatchOutcome, CachedSummaries, ChangeOutcome,
    ConversationPage, CreatedConversation, CreatedUser, Denied, EventPage, History, HistoryRange,
    NewMessage, NewSession, Rotation, RotationOutcome,
};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, Epoch, ListPosition, Member, MessageId,
    MessageText, NewConversation, NewUser, Position, Seq, SessionId, Timestamp, User, UserId,
};

/// Why a database that responds cannot be used, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseProblem {
    /// It accepts no writes: a standby, a read-only file or file system.
    ReadOnly,
    /// Another process or an administrator holds a lock that every write needs.
    Locked,
    /// There is no space left.
    DiskFull,
    /// Its files cannot be read or written, for another reason.
    InputOutput,
    /// Its files are damaged.
    Corrupt,
    /// The file is not the one the server opened: it was removed or replaced.
    Replaced,
    /// The login is wrong, or the server has no such database.
    Rejected,
    /// A transaction pooler is between, and the server was not configured for one.
    Pooled,
}

impl fmt::Display for DatabaseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl DatabaseProblem {
    /// The text for `/health/` and for operators.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReadOnly => "database is read-only",
            Self::Locked => "database is locked by another process",
            Self::DiskFull => "database has no disk space left",
            Self::InputOutput => "database files cannot be read or written",
            Self::Corrupt => "database is corrupt",
            Self::Replaced => "database file was removed or replaced while the server runs",
            Self::Rejected => "database rejects the login, or does not exist",
            Self::Pooled => {
                "database is behind a transaction pooler, but DATABASE_POOLER is not set"
            }
        }
    }
}

/// A database call failed. Whether its work was done is unknown.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database responds, but cannot do this now.
    #[error("{0}: {1}")]
    Refused(DatabaseProblem, String),
    /// Unreachable, overloaded or too slow. The same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The response does not match the statement: a bug, or a schema of another version.
    #[error("the database answered unexpectedly: {0}")]
    Unexpected(String),
}

impl StoreError {
    /// Logs the error, for an adapter that reports to its caller only that the call failed.
    pub fn log(&self, what: &'static str) {
        match self {
            Self::Refused(DatabaseProblem::Corrupt, _) => tracing::error!(error = %self, "{what}"),
            Self::Refused(..) => tracing::warn!(error = %self, "{what}"),
            Self::Unavailable(reason) => tracing::warn!(error = reason, "{what}"),
            Self::Unexpected(reason) => tracing::error!(error = reason, "{what}"),
        }
    }
}

/// The result of a store method.
pub type StoreResult<T> = Result<T, StoreError>;

/// A result that depends on the caller's rights. In a statement's JSON: `{"ok": …}` or
/// `{"denied": "…"}`.
pub type Authorized<T> = Result<T, Denied>;

/// The database. One method is one use case and one transaction; at the edge, one round trip.
///
/// Every method may fail with [`StoreError`]. After `Unavailable` the work may or may not have
/// been done; a call may be repeated wherever its contract says so.
///
/// A method that takes a `Caller` checks the session, and for a conversation the membership, in
/// the statement that does the work.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates an account. Username and e-mail are unique by their keys ([`crate::unicode`]); the
    /// database decides, also between concurrent calls.
    async fn create_user(&self, user: &NewUser, now: Timestamp) -> StoreResult<CreatedUser>;

    /// The active account with this username, compared by its key, for a login. An account that has
    /// only its lower-case key is found by that, before another one with the same newer key.
    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>>;

    /// Accounts of earlier versions whose names beyond ASCII have no key yet, with ids greater than
    /// `after`, in order; at most `limit`.
    async fn accounts_without_keys(
        &self,
        after: UserId,
        limit: i64,
    ) -> StoreResult<Vec<AccountWithoutKeys>>;

    /// Records keys of such accounts. A key that another account has is left out. Safe to repeat.
    ///
    /// The caller guarantees that the keys of one call are distinct.
    async fn set_account_keys(&self, keys: &[AccountKeys]) -> StoreResult<()>;

    /// Records a session, the new password hash when there is one, and the device. Of an account's
    /// devices the 50 used last are kept, for 30 days at least. `false` when the account is deleted
    /// or inactive.
    async fn open_session(&self, session: &NewSession) -> StoreResult<bool>;

    /// Exchanges one refresh token for the next. Two calls with the same generation return the same
    /// `Rotated`, also concurrently, if the second is made within the grace and the next generation
    /// has not been exchanged yet. Any other second call returns `Reused` and revokes the session.
    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome>;

    /// Revokes a session. `false` when the user has no such active session. Afterwards every
    /// method denies it.
    async fn revoke_session(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> StoreResult<bool>;

    /// The caller's own account.
    async fn profile(&self, caller: &Caller, now: Timestamp) -> StoreResult<Authorized<User>>;

    /// Creates a conversation of the caller and the others, or finds the direct conversation of
    /// the two. Concurrent calls for the same two users yield one conversation.
    async fn create_conversation(
        &self,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>>;

    /// The caller's conversations, latest activity first (then highest id), whatever the clocks of
    /// its writers said, starting after the given `(list_position, id)`; at most `limit`, and fewer when they are large: the page ends no
    /// earlier than after [`MAX_LIST_BYTES`](crate::page_size::MAX_LIST_BYTES) of JSON. A
    /// conversation that is unchanged since it was cached is returned as its id alone.
    async fn conversations(
        &self,
        caller: &Caller,
        after: Option<(ListPosition, ConversationId)>,
        limit: i64,
        cached: &CachedSummaries,
        now: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>>;

    /// One conversation with its newest page of messages.
    async fn conversation(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Conversation>>;

    /// A conversation's position, for a member: the small statement beside a cached read.
    async fn position(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Position>>;

    /// A page of a conversation's history, for a member; at most `limit` messages, and fewer when
    /// they are long: it ends with the message that fills
    /// [`MAX_HISTORY_BYTES`](crate::page_size::MAX_HISTORY_BYTES), half of them on either side for
    /// `Around`.
    async fn messages(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        range: HistoryRange,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<History>>;

    /// The members of a conversation, for a member, by id, starting after the given one; at most
    /// `limit`.
    async fn members(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        after: UserId,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<Vec<Member>>>;

    /// Authorizes a member's socket: the state of the conversation that the Room needs to admit it.
    async fn admit(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Admission>>;

    /// Stores a batch of sends in one transaction and returns one outcome for each, in order. On
    /// `Err` either all or none are stored. Sends may be for several conversations. Within a
    /// conversation `seq` and `number` of the stored sends are dense and follow the order given,
    /// also with concurrent writers. Session and membership are checked by the same statement.
    /// Repeating the call after an error is safe for sends with a `client_message_id`.
    ///
    /// Mentions of users that are no members are dropped; the outcome has the others.
    ///
    /// The caller guarantees that no two sends of a batch share conversation, sender and
    /// `client_message_id`.
    async fn append(&self, sends: &[NewMessage]) -> StoreResult<BatchOutcome>;

    /// Replaces the text of one of the caller's messages; `None` deletes the message for good. The
    /// event takes the conversation's next `seq` in the same transaction. Safe to repeat: the
    /// second call returns `Unchanged`.
    async fn edit_message(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        message_id: MessageId,
        text: Option<&MessageText>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Adds a member to a group that has fewer than `max_members`, also with concurrent calls; writes
    /// as [`Self::edit_message`] does.
    async fn add_member(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        user_id: UserId,
        max_members: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Removes a member from a group: the caller, or, if the caller created the group, another
    /// user. Writes as [`Self::edit_message`] does. Afterwards every method denies the user access
    /// to the conversation.
    async fn remove_member(
        &self,
        caller: &Caller,
        conversation_id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Durable events with `seq` greater than `since`, at most `limit`. For Rooms only: checks no
    /// session and no membership. `None` when there is no such conversation.
    async fn events(
        &self,
        conversation_id: ConversationId,
        since: Seq,
        limit: i64,
    ) -> StoreResult<Option<EventPage>>;

    /// Declares that history may have been rewritten; an operator calls it after restoring a
    /// backup. Resuming clients start over, and cached histories are ignored.
    async fn renew_epoch(&self, epoch: &Epoch) -> StoreResult<()>;

    /// Whether the database accepts a write now, by the cheapest one. Returns within a second.
    async fn probe(&self) -> StoreResult<()>;
}
