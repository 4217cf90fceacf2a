//! What differs between the dialects: the texts of the statements, and the writes that PostgreSQL
//! does in one statement and SQLite in several.

use super::driver::{Driver, Statement};
use crate::ports::{
    Authorized, BatchOutcome, ChangeOutcome, CreatedConversation, CreatedUser, NewMessage,
    NewSession, Rotation, RotationOutcome, StoreResult,
};
use colloquy_proto::domain::{
    Caller, ConversationId, MessageId, MessageText, NewConversation, NewUser, Timestamp, UserId,
};

/// A change that is a durable event of its own.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Replaces the text of a message; `None` deletes it.
    EditMessage(MessageId, Option<&'a MessageText>),
    /// Adds a member to a group that has fewer than this many.
    AddMember(UserId, i64),
    /// Removes a member.
    RemoveMember(UserId),
}

/// A dialect of SQL. The contract of each method is that of [`crate::ports::Store`].
pub trait Dialect: Send + Sync + 'static {
    /// The use cases that are one statement with the same parameters in every dialect.
    const STATEMENTS: &'static Statements;

    /// `Store::probe`.
    fn probe<D: Driver>(driver: &D) -> impl Future<Output = StoreResult<()>> + Send;

    /// `Store::create_user`.
    fn create_user<D: Driver>(
        driver: &D,
        user: &NewUser,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<CreatedUser>> + Send;

    /// `Store::open_session`.
    fn open_session<D: Driver>(
        driver: &D,
        session: &NewSession,
    ) -> impl Future<Output = StoreResult<bool>> + Send;

    /// `Store::rotate_session`.
    fn rotate_session<D: Driver>(
        driver: &D,
        rotation: &Rotation,
    ) -> impl Future<Output = StoreResult<RotationOutcome>> + Send;

    /// `Store::create_conversation`.
    fn create_conversation<D: Driver>(
        driver: &D,
        caller: &Caller,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Authorized<CreatedConversation>>> + Send;

    /// `Store::append`.
    fn append<D: Driver>(
        driver: &D,
        sends: &[NewMessage],
    ) -> impl Future<Output = StoreResult<BatchOutcome>> + Send;

    /// `Store::edit_message`, `Store::add_member` and `Store::remove_member`.
    fn change<D: Driver>(
        driver: &D,
        caller: &Caller,
        conversation_id: ConversationId,
        change: Change<'_>,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Authorized<ChangeOutcome>>> + Send;
}

/// The statements that have the same parameters and results in every dialect.
#[derive(Debug)]
pub struct Statements {
    pub(super) credentials: Statement,
    pub(super) accounts_without_keys: Statement,
    pub(super) set_account_keys: Statement,
    pub(super) revoke_session: Statement,
    pub(super) profile: Statement,
    pub(super) conversations: Statement,
    pub(super) conversation: Statement,
    pub(super) position: Statement,
    pub(super) messages: Statement,
    pub(super) members: Statement,
    pub(super) admit: Statement,
    pub(super) events: Statement,
    pub(super) renew_epoch: Statement,
}

/// The [`Statements`] of a dialect.
macro_rules! statements {
    ($dialect:literal) => {
        $crate::store::dialect::Statements {
            credentials: statement!($dialect, "accounts/credentials"),
            accounts_without_keys: statement!($dialect, "accounts/without_keys"),
            set_account_keys: statement!($dialect, "accounts/set_keys"),
            revoke_session: statement!($dialect, "sessions/revoke"),
            profile: statement!($dialect, "accounts/profile"),
            conversations: statement!($dialect, "conversations/list"),
            conversation: statement!($dialect, "conversations/read"),
            position: statement!($dialect, "conversations/position"),
            messages: statement!($dialect, "messages/page"),
            members: statement!($dialect, "members/list"),
            admit: statement!($dialect, "sockets/admit"),
            events: statement!($dialect, "messages/events"),
            renew_epoch: statement!($dialect, "instance/renew_epoch"),
        }
    };
}
pub(super) use statements;
