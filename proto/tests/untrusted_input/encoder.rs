//! Encodes commands as a client does: the inverse of `protocol::parse`.

use colloquy_proto::protocol::{Command, SendCommand};
use serde_json::{Value, json};

/// The v2 frame of a command.
pub(crate) fn v2(command: &Command) -> Value {
    match command {
        Command::Send(send) => {
            let mut frame = json!({
                "type": "send",
                "client_message_id": send.client_message_id,
                "message": send.message,
            });
            // Absent rather than null or empty, as clients send them.
            if let Some(reply_to) = send.reply_to {
                frame["reply_to"] = json!(reply_to);
            }
            if !send.mentions.is_empty() {
                frame["mentions"] = json!(send.mentions);
            }
            frame
        }
        Command::Resume { since, epoch } => {
            json!({"type": "resume", "since": since, "epoch": epoch})
        }
        Command::Auth { token } => json!({"type": "auth", "token": token}),
        Command::Ping => json!({"type": "ping"}),
    }
}

/// The v1 frame of a send.
pub(crate) fn v1(send: &SendCommand) -> Value {
    json!({"message": send.message})
}
