//! One well-behaved Colloquy client, v1 and v2, for the tests and the examples.
//!
//! Owns what `docs/protocol.md` asks of every client: it logs in and refreshes its tokens, repeats
//! a send under the same `client_message_id` until the send is acknowledged, reconnects with
//! exponential backoff and jitter, resumes after its last event, and checks `seq` for gaps. It does
//! not misbehave on purpose, measures nothing and asserts nothing: it returns errors.
//!
//! # Guarantees
//!
//! - Every event of a [`Conversation`] is returned once and in `seq` order, across any number of
//!   reconnects. After a `reset` the history is returned as a whole instead.
//! - [`Conversation::send`] returns only when the message is stored or refused for good. It is
//!   stored at most once.
//! - A refresh whose response is lost is repeated within the server's grace; a refresh token is never
//!   presented later than that ([`Account::renew`]).
//! - The client never retries an error that the server marks as not retryable, and never reconnects
//!   after a close code that forbids it ([`Close::action`]).
//!
//! # Using the parts
//!
//! A program that must observe every frame, or that decides itself when to reconnect, uses the
//! parts below [`Conversation`]: [`Rest`], [`Account`], [`Socket`], [`Frame`], and the sans-IO
//! [`Position`], [`Outbox`] and [`Backoff`], which take the time and the random generator as
//! arguments.

mod account;
mod backoff;
mod client;
mod close;
mod conversation;
mod conversation_v1;
mod error;
mod frame;
mod outbox;
mod position;
mod rest;
mod sends;
mod sent;
mod socket;

pub use account::{AccessToken, Account, Tokens};
pub use backoff::{Backoff, jitter};
pub use client::Client;
pub use close::{Close, CloseAction};
pub use conversation::{Conversation, Delivery};
pub use conversation_v1::{ConversationV1, Message};
pub use error::{Error, Rejection};
pub use frame::{Frame, resume_command, send_command};
pub use outbox::{MAX_COMMANDS_PER_FRAME, Outbox};
pub use position::{Arrival, Position};
pub use reqwest::Method;
pub use rest::{Response, Rest, RestOptions};
pub use sent::Sent;
pub use socket::{PING, Received, Socket, Version};
