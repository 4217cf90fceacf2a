//! The nouns: identifiers, people, conversations, messages, and the rules a value must meet.
//!
//! A value of these types has been checked or came from the database. Nothing here knows the
//! wire, HTTP or SQL. To add a noun, give it a file and re-export it here.

mod conversation;
mod id;
mod message;
mod send;
mod text;
mod timestamp;
mod user;

pub use conversation::{
    Admission, Conversation, ConversationKind, ConversationSummary, NewConversation, Position,
};
pub use id::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, Seq, SessionId, UserId,
};
pub use message::{MAX_MENTIONS, MAX_MESSAGE_CHARS, Message, MessageText};
pub use send::{AppendOutcome, BatchOutcome, Denied, NewMessage, SendOutcome, StoredMessage};
pub use text::{TextError, validate_text};
pub use timestamp::{Seconds, Timestamp};
pub use user::{Caller, Credentials, NewUser, User};
