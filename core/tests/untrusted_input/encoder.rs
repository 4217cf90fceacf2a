//! Commands as a client writes them: the other half of `protocol::parse`, and the same for every
//! target that needs it.

use colloquy_proto::protocol::{Command, SendCommand};
use serde_json::{Value, json};

/// A v2 frame of this command.
pub(crate) fn v2(command: &Command) -> Value {
    match command {
        Command::Send(send) => {
            let mut frame = json!({
                "type": "send",
                "client_message_id": send.client_message_id,
                "message": send.message,
            });
            // Left out where they are nothing, as clients do.
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

/// A v1 frame of this send.
pub(crate) fn v1(send: &SendCommand) -> Value {
    json!({"message": send.message})
}
