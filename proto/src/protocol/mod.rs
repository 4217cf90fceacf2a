//! The WebSocket protocol: commands from the client, events and replies to it, close codes, error
//! codes.
//!
//! An **event** is durable, has a `seq` and is the same frame for every receiver. A **reply** is for
//! one connection. To add a frame: its type here, its handling in [`crate::room`], a line in
//! `docs/protocol.md`.

mod close;
mod command;
mod error;
mod event;
mod reply;

pub use close::{CloseAction, CloseCode};
pub use command::{
    Command, MAX_COMMANDS_PER_FRAME, PING, ParseError, ParsedFrame, SendCommand, parse,
};
pub use error::ErrorCode;
pub use event::{
    DeletedEvent, EditedEvent, Event, EventPage, MemberChange, MemberEvent, MessageEvent,
    StoredEvent, encode_batch,
};
pub use reply::{
    Ack, AuthExpiring, AuthOk, ErrorReply, Hello, Limits, PONG, Reset, ResetReason, Sync,
    THROTTLED_TEXT,
};

/// The subprotocol of v2 clients; the only one the server accepts (RFC 6455 §1.9).
pub const SUBPROTOCOL: &str = "chat.v2";

/// The maximum size of a frame from a client, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// The maximum number of events one `resume` delivers.
pub const MAX_RESUME_EVENTS: usize = 300;

/// The maximum number of sockets of one user in one Room.
pub const MAX_SOCKETS_PER_USER: usize = 20;

/// How often a client should ping, in seconds.
pub const HEARTBEAT_SECONDS: i64 = 25;

/// A connection without a heartbeat for this long, in seconds, is closed: three missed pings.
pub const HEARTBEAT_TIMEOUT_SECONDS: i64 = 3 * HEARTBEAT_SECONDS;
