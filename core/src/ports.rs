//! What an adapter owes to core: the few doors to the outside, and the contract of each.
//!
//! `Store` (the database), `Cache` (recent history, counters), `Rooms` (live conversations),
//! `Passwords` (slow hashing), `Clock` and `Rng`. A contract is written on the method; the suite
//! in `testing::store_contract` holds every store to it. To add a use case: a method here, its
//! statements in `sql/`, its case in the contract suite.

mod cache;
mod listing;

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;
use thiserror::Error;

use crate::auth::{PasswordJob, PasswordOutcome};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, Epoch, Message, MessageId, MessageNumber,
    MessageText, NewConversation, NewUser, Position, Seq, SessionId, Timestamp, User, UserId,
};
use colloquy_proto::protocol::{CloseCode, SendCommand};

pub use self::cache::{Cache, CacheCommand, CacheError, CacheKind, CacheReply};
pub use self::listing::{CachedSummaries, ConversationPage, ListedConversation};
pub use colloquy_proto::domain::{
    AppendOutcome, BatchOutcome, Denied, NewMessage, SendOutcome, StoredMessage,
};
pub use colloquy_proto::protocol::{Events, StoredEvent};

/// The database did not do what was asked; nothing may be assumed of whether it was done.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Away, overloaded or too slow. The same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Answered, but not as the statement promises: a fault of ours.
    #[error("the database answered unexpectedly: {0}")]
    Unexpected(String),
}

impl StoreError {
    /// Logs it, for an adapter that hands on no more than that something failed.
    pub fn log(&self, what: &'static str) {
        match self {
            Self::Unavailable(reason) => tracing::warn!(error = reason, "{what}"),
            Self::Unexpected(reason) => tracing::error!(error = reason, "{what}"),
        }
    }
}

/// What every store method returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// An answer that depends on who asks. In a statement's JSON: `{"ok": …}` or `{"denied": "…"}`.
pub type Authorized<T> = Result<T, Denied>;

/// The outcome of making an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedUser {
    /// It exists now.
    Created(User),
    /// Nothing was made, since these were taken, whatever their case.
    Taken {
        /// The username is in use.
        username: bool,
        /// The e-mail address is in use.
        email: bool,
    },
}

/// A login about to be recorded.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Fresh and random.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// Now.
    pub created_at: Timestamp,
    /// When its refresh token ends.
    pub expires_at: Timestamp,
    /// The password's hash under today's parameters, when the stored one used others.
    pub rehashed_password: Option<String>,
}

/// A refresh token presented for rotation.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Its session.
    pub session_id: SessionId,
    /// Whose it says it is.
    pub user_id: UserId,
    /// Which rotation of the session it belongs to, from 0.
    pub generation: i64,
    /// Now.
    pub now: Timestamp,
    /// When the next refresh token ends.
    pub expires_at: Timestamp,
}

/// The outcome of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationOutcome {
    /// The session's generation is one higher now.
    Rotated,
    /// The generation had been used before: the session is revoked now, by this call.
    Reused,
    /// No such session, or revoked, or ended, or the account is inactive.
    Refused,
}

/// The outcome of making a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedConversation {
    /// It exists now.
    Created(Conversation),
    /// The pair already had one; with its recent messages.
    Existing(Conversation),
    /// Nothing was made, since these ids belong to no active account; ascending.
    UnknownParticipants(Vec<UserId>),
}

/// What became of a wish to change something that is an event of its own. In a statement's JSON:
/// `{"done": …}` or a word.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOutcome {
    /// Done by this call.
    Done(Box<StoredEvent>),
    /// It was so already, and nothing was written.
    Unchanged,
    /// Not done: the conversation has no such message.
    UnknownMessage,
    /// Not done: somebody else wrote the message.
    NotSender,
    /// Not done: the message was deleted, and has no text to be edited.
    Deleted,
    /// Not done: two people's conversation stays theirs.
    Direct,
    /// Not done: there is no such active account.
    UnknownUser,
    /// Not done: only who made a conversation may remove others.
    NotOwner,
}

/// Which messages of a history are wanted. All pages are in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest.
    Latest,
    /// The nearest ones with a smaller number.
    Before(MessageNumber),
    /// The nearest ones with a greater number.
    After(MessageNumber),
    /// Half before, the message itself and half after.
    Around(MessageNumber),
}

/// Part of a history.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct History {
    /// The page, oldest first.
    pub messages: Vec<Message>,
    /// Where the conversation stood when it was read.
    pub position: Position,
}

/// A member who may open a socket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Admission {
    /// The member's username.
    pub username: std::sync::Arc<str>,
    /// Where the conversation stands.
    pub position: Position,
    /// When somebody last ceased to be a member, as a `seq`; 0 for never.
    pub last_removal_seq: Seq,
}

/// The database. One method is one use case and one transaction; at the edge, one round trip.
///
/// Every method may fail with [`StoreError`]; after `Unavailable` the work may or may not have
/// been done, and calling again must be safe wherever the contract says so.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes an account. Uniqueness of username and e-mail ignores case and is decided by the
    /// database, also between two calls at once.
    async fn create_user(&self, user: &NewUser, now: Timestamp) -> StoreResult<CreatedUser>;

    /// The active account with this username (whatever its case), for a login.
    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>>;

    /// Records a login, and the new hash when there is one. `false` when the account is gone or
    /// inactive.
    async fn open_session(&self, session: &NewSession) -> StoreResult<bool>;

    /// Exchanges one refresh token for the next. Of two calls with the same generation exactly
    /// one is `RotationOutcome`; the other is `Reused` and revokes the session.
    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome>;

    /// Ends a session. `false` when the user has no such session standing. Afterwards no method
    /// grants anything to it.
    async fn revoke_session(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> StoreResult<bool>;

    /// The caller's own account.
    async fn profile(&self, caller: &Caller, now: Timestamp) -> StoreResult<Authorized<User>>;

    /// Makes a conversation of the caller and the others, or finds the pair's. Two calls at once
    /// for the same pair end in one conversation.
    async fn create_conversation(
        &self,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>>;

    /// The caller's conversations, latest activity first (then highest id), those after the
    /// given `(active_at, id)` when one is given; at most `limit`. Which of them are held as they
    /// are is only named.
    async fn conversations(
        &self,
        caller: &Caller,
        after: Option<(Timestamp, ConversationId)>,
        limit: i64,
        held: &CachedSummaries,
        now: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>>;

    /// One conversation with its 100 newest messages.
    async fn conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Conversation>>;

    /// Where a conversation stands, for a member: the small statement beside a cached read.
    async fn position(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Position>>;

    /// A page of a conversation's history, for a member; at most `limit` messages.
    async fn messages(
        &self,
        caller: &Caller,
        id: ConversationId,
        page: HistoryRange,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<History>>;

    /// What a socket needs to open, for a member.
    async fn admit(
        &self,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Admission>>;

    /// Stores a batch of sends, all or (on `Err`) possibly none, in one transaction, and answers
    /// each in the order given. Sends may be for several conversations. Within a conversation
    /// `seq` and `number` of what is stored are dense and follow the order given, whoever else
    /// writes at the same time. Session and membership are checked by the same statement.
    /// Calling again after an error is safe for sends with a `client_message_id`.
    ///
    /// The caller guarantees that no two sends of a batch share conversation, sender and
    /// `client_message_id`.
    async fn append(&self, sends: &[NewMessage]) -> StoreResult<BatchOutcome>;

    /// Gives a message of the caller's another text, or none, which deletes it for good. The event
    /// takes the conversation's next `seq` in the same transaction. Safe to be called again: then
    /// it is `Unchanged`.
    async fn change_message(
        &self,
        caller: &Caller,
        id: ConversationId,
        message_id: MessageId,
        text: Option<&MessageText>,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Makes somebody a member of a group, as [`Self::change_message`] writes.
    async fn add_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Ends a membership of a group, one's own or, by who made the group, another's, as
    /// [`Self::change_message`] writes. Afterwards no method lets the user read or write there.
    async fn remove_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_id: UserId,
        now: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>>;

    /// Durable events with `seq` greater than `since`, at most `limit`. For Rooms: the members
    /// asking have been checked when they joined. `None` when there is no such conversation.
    async fn events(
        &self,
        id: ConversationId,
        since: Seq,
        limit: i64,
    ) -> StoreResult<Option<Events>>;

    /// Declares that history may have been rewritten: what an operator does after restoring a
    /// backup. Clients that resume are told to start anew, and cached histories are left unread.
    async fn renew_epoch(&self, epoch: &Epoch) -> StoreResult<()>;

    /// Whether the database answers, by the cheapest statement there is.
    async fn ping(&self) -> StoreResult<()>;
}

/// A socket that has been authenticated and may join its Room.
#[derive(Debug, Clone)]
pub struct SocketGrant {
    /// Whose socket it is.
    pub caller: Caller,
    /// The member's username.
    pub username: std::sync::Arc<str>,
    /// The Room.
    pub conversation_id: ConversationId,
    /// Where the conversation stood when the grant was made.
    pub position: Position,
    /// When somebody had last ceased to be a member then; 0 for never.
    pub last_removal_seq: Seq,
    /// Whether the client asked for `chat.v2`; that name is then echoed.
    pub v2: bool,
}

/// The live Rooms, wherever they run.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Upgrades the request and connects the socket to its Room. Answers 101, or an error
    /// response when the request is no WebSocket upgrade.
    async fn open_socket(&self, grant: SocketGrant, request: Request) -> Response;

    /// Upgrades the request, closes the socket with this code and wakes no Room: browsers hide
    /// the HTTP status of a failed upgrade from the page, a close code they show.
    async fn refuse_socket(&self, close: CloseCode, v2: bool, request: Request) -> Response;

    /// Sends a message through the conversation's Room, in its order and under its throttle.
    async fn send(&self, id: ConversationId, caller: &Caller, send: SendCommand) -> SendOutcome;

    /// Tells the conversation's Room, if it is live, of a change that was stored; without one, that
    /// something may have been stored of which nobody tells, so that it looks. Who is no member any
    /// more receives nothing that comes after that in the order of `seq`.
    async fn changed(&self, id: ConversationId, change: Option<StoredEvent>);

    /// Closes every socket of this session, in whatever Room, with 4401. When it returns, none
    /// of them receives anything further, and no grant made before opens another.
    async fn revoke_session(&self, session_id: &SessionId);
}

/// Where slow password hashing runs: off the threads that serve, and few at a time.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Runs the job. `None` when too many wait already.
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome>;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Randomness fit for secrets.
pub trait Rng: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
