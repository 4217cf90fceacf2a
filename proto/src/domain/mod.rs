//! The domain types: identifiers, users, conversations, messages, and their validation.
//!
//! A value of these types is validated or comes from the database. This module does not know the
//! wire protocol, HTTP or SQL. To add a type, give it a file and re-export it here.

mod conversation;
mod id;
mod message;
mod send;
mod text;
mod timestamp;
mod user;

pub use conversation::{
    Admission, Conversation, ConversationKind, ConversationSummary, MAX_PARTICIPANTS_SHOWN,
    NewConversation, Position,
};
pub use id::{
    ClientMessageId, ConversationId, Epoch, ListPosition, MessageId, MessageNumber, Seq, SessionId,
    UserId,
};
pub use message::{MAX_MENTIONS, MAX_MESSAGE_CHARS, Message, MessageText};
pub use send::{AppendOutcome, BatchOutcome, Denied, NewMessage, SendOutcome, StoredMessage};
pub use text::{TextError, is_default_ignorable, validate_text};
pub use timestamp::{Seconds, Timestamp};
pub use user::{Caller, Credentials, DeviceKey, KnownDevice, Member, NewUser, User};
