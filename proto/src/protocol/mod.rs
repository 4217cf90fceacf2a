//! What crosses the wire and nothing else: commands in, events and replies out, close codes,
//! error codes.
//!
//! An **event** is durable, carries `seq` and is the same bytes for every receiver; a **reply**
//! concerns one connection. To add a frame: a variant here, its handling in [`crate::room`],
//! its line in `docs/protocol.md`.

mod close;
mod command;
mod error;
mod event;
mod reply;

pub use close::CloseCode;
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

/// The subprotocol a v2 client asks for; the only one that is ever echoed (RFC 6455 §1.9).
pub const SUBPROTOCOL: &str = "chat.v2";

/// The largest frame a client may send, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// The most events one `resume` is answered with.
pub const MAX_RESUME_EVENTS: usize = 300;

/// The most sockets one user may hold in one Room.
pub const MAX_SOCKETS_PER_USER: usize = 20;

/// How often a client should ping, in seconds.
pub const HEARTBEAT_SECONDS: i64 = 25;

/// A client of which nothing is heard for this long, in seconds, is gone: three missed pings.
pub const HEARTBEAT_TIMEOUT_SECONDS: i64 = 3 * HEARTBEAT_SECONDS;
