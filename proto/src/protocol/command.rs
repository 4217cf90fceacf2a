//! Commands: the parser of text frames, v1 and v2.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::domain::{
    ClientMessageId, Epoch, MAX_MENTIONS, MessageId, MessageText, Seq, TextError, UserId,
};

/// The exact bytes of a ping; replied to with [`super::PONG`] without parsing.
pub const PING: &str = r#"{"type":"ping"}"#;

/// The maximum number of commands in one frame, which is then an array.
pub const MAX_COMMANDS_PER_FRAME: usize = 20;

/// One command. Serialized as the v2 frame that [`parse`] reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Command {
    /// Stores a message and broadcasts it.
    Send(SendCommand),
    /// Asks for every event after a position, usually the first frame after a reconnect.
    Resume {
        /// The position (`seq`) of the last event the client has; 0 before the first.
        since: Seq,
        /// The history of that event, as `hello` named it; absent when the client does not know it.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// Continues with a renewed access token of the same session.
    Auth {
        /// The access token.
        token: Arc<str>,
    },
    /// Shows that the client is alive. Sent every `heartbeat_s` seconds.
    Ping,
}

/// A message to store and broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SendCommand {
    // Required in v2, absent in v1.
    /// The idempotency key of the message, unique per conversation and sender without time limit. The
    /// same key with a repeated send returns the first result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(required, nullable = false))]
    pub client_message_id: Option<ClientMessageId>,
    /// The text: at least one visible character, no U+0000.
    pub message: MessageText,
    /// The id of the message it replies to, of the same conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// The ids of the mentioned users. Those of users who are not members are dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "utoipa", schema(max_items = 50, nullable))]
    pub mentions: Vec<UserId>,
}

/// The content of one text frame.
#[derive(Debug, PartialEq, Eq)]
pub enum ParsedFrame {
    /// A v1 frame: `{"message": …}` without a `type`.
    V1(Result<SendCommand, ParseError>),
    /// One v2 command, or an array of them, each with its own result.
    V2(Vec<Result<Command, ParseError>>),
}

/// Why a command is invalid. `Display` is a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Not JSON, or not an object or array of objects.
    #[error("The frame is not a JSON object.")]
    NotAnObject,
    /// An array without a command.
    #[error("The frame carries no command.")]
    NoCommands,
    /// More commands than permitted in one frame.
    #[error("A frame may carry at most {MAX_COMMANDS_PER_FRAME} commands.")]
    TooManyCommands,
    /// An unknown `type`.
    #[error("Unknown frame type.")]
    UnknownType,
    /// A field is missing or has the wrong type.
    #[error("The field '{field}' is missing or has the wrong type.")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The id of the send it belongs to.
        client_message_id: Option<ClientMessageId>,
    },
    /// The value of a field is invalid.
    #[error("{field}: {reason}")]
    Value {
        /// The name of the field.
        field: &'static str,
        /// The violated rule.
        reason: TextError,
        /// The id of the send it belongs to.
        client_message_id: Option<ClientMessageId>,
    },
    /// More mentions than permitted.
    #[error("mentions: at most {MAX_MENTIONS} people may be mentioned.")]
    TooManyMentions {
        /// The id of the send it belongs to.
        client_message_id: Option<ClientMessageId>,
    },
}

impl ParseError {
    /// The send this error belongs to, if its id is valid.
    pub fn client_message_id(&self) -> Option<&ClientMessageId> {
        match self {
            Self::NotAnObject | Self::NoCommands | Self::TooManyCommands | Self::UnknownType => {
                None
            }
            Self::Field {
                client_message_id, ..
            }
            | Self::Value {
                client_message_id, ..
            }
            | Self::TooManyMentions { client_message_id } => client_message_id.as_ref(),
        }
    }
}

/// The fields of all commands, not yet parsed, so that an error names the field instead of failing
/// the whole frame. Unknown fields are ignored.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_message_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reply_to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    mentions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    epoch: Option<&'a RawValue>,
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
}

/// Parses one text frame.
///
/// # Errors
/// [`ParseError::NotAnObject`], [`ParseError::NoCommands`] or [`ParseError::TooManyCommands`] for
/// the frame as a whole; errors of single commands are inside [`ParsedFrame`].
pub fn parse(text: &str) -> Result<ParsedFrame, ParseError> {
    if text.trim_start().starts_with('[') {
        let items: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| ParseError::NotAnObject)?;
        if items.is_empty() {
            return Err(ParseError::NoCommands);
        }
        if items.len() > MAX_COMMANDS_PER_FRAME {
            return Err(ParseError::TooManyCommands);
        }
        return Ok(ParsedFrame::V2(
            items
                .iter()
                .map(|item| parse_command(&parse_fields(item.get())?))
                .collect(),
        ));
    }
    let fields = parse_fields(text)?;
    if fields.kind.is_none() {
        return Ok(ParsedFrame::V1(parse_send(&fields, None)));
    }
    Ok(ParsedFrame::V2(vec![parse_command(&fields)]))
}

fn parse_fields(text: &str) -> Result<Fields<'_>, ParseError> {
    // serde also deserializes a struct from an array; only an object is valid here.
    if !text.trim_start().starts_with('{') {
        return Err(ParseError::NotAnObject);
    }
    serde_json::from_str(text).map_err(|_| ParseError::NotAnObject)
}

fn parse_command(fields: &Fields<'_>) -> Result<Command, ParseError> {
    let kind: String = required(fields.kind, "type", None)?;
    match kind.as_str() {
        "send" => {
            let id: Arc<str> = required(fields.client_message_id, "client_message_id", None)?;
            let id = ClientMessageId::new(id).map_err(|reason| ParseError::Value {
                field: "client_message_id",
                reason,
                client_message_id: None,
            })?;
            parse_send(fields, Some(id)).map(Command::Send)
        }
        "resume" => Ok(Command::Resume {
            since: Seq(required(fields.since, "since", None)?),
            epoch: optional(fields.epoch, "epoch", None)?,
        }),
        "auth" => Ok(Command::Auth {
            token: required(fields.token, "token", None)?,
        }),
        "ping" => Ok(Command::Ping),
        _ => Err(ParseError::UnknownType),
    }
}

fn parse_send(fields: &Fields<'_>, id: Option<ClientMessageId>) -> Result<SendCommand, ParseError> {
    let text: Arc<str> = required(fields.message, "message", id.as_ref())?;
    let message = MessageText::new(text).map_err(|reason| ParseError::Value {
        field: "message",
        reason,
        client_message_id: id.clone(),
    })?;
    // v1 has neither: there they are unknown fields.
    let (reply_to, mentions) = if id.is_some() {
        let mentions: Option<Vec<UserId>> = optional(fields.mentions, "mentions", id.as_ref())?;
        (
            optional(fields.reply_to, "reply_to", id.as_ref())?,
            mentions.unwrap_or_default(),
        )
    } else {
        (None, Vec::new())
    };
    if mentions.len() > MAX_MENTIONS {
        return Err(ParseError::TooManyMentions {
            client_message_id: id,
        });
    }
    Ok(SendCommand {
        client_message_id: id,
        message,
        reply_to,
        mentions,
    })
}

fn required<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    field: &'static str,
    id: Option<&ClientMessageId>,
) -> Result<T, ParseError> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .ok_or_else(|| ParseError::Field {
            field,
            client_message_id: id.cloned(),
        })
}

/// Parses an optional field; `null` counts as absent.
fn optional<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    field: &'static str,
    id: Option<&ClientMessageId>,
) -> Result<Option<T>, ParseError> {
    raw.map_or(Ok(None), |raw| {
        serde_json::from_str(raw.get()).map_err(|_| ParseError::Field {
            field,
            client_message_id: id.cloned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(text: &str) -> Result<Command, ParseError> {
        match parse(text) {
            Ok(ParsedFrame::V2(mut commands)) if commands.len() == 1 => commands.remove(0),
            other => panic!("not a single v2 command: {other:?}"),
        }
    }

    #[test]
    fn v1_frame_needs_only_the_message() {
        let Ok(ParsedFrame::V1(Ok(send))) = parse(r#"{"message":"Hello","extra":[1]}"#) else {
            panic!("a v1 frame was rejected");
        };
        assert_eq!(send.message.as_str(), "Hello");
        assert_eq!(send.client_message_id, None);
    }

    #[test]
    fn error_of_a_send_has_its_client_message_id() {
        let error = v2(r#"{"type":"send","client_message_id":"a","message":7}"#).unwrap_err();
        assert_eq!(
            error.client_message_id().map(ClientMessageId::as_str),
            Some("a")
        );
    }

    #[test]
    fn frame_that_is_not_an_object_is_rejected() {
        for text in ["", "7", "\"x\"", "null", "{", "[1"] {
            assert_eq!(parse(text), Err(ParseError::NotAnObject), "{text}");
        }
        let unpaired_surrogate = parse("{\"message\":\"\\ud800\"}");
        assert!(matches!(
            unpaired_surrogate,
            Ok(ParsedFrame::V1(Err(ParseError::Field { .. })))
        ));
        let deep = format!(
            "{{\"message\":{}{}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert!(parse(&deep).is_err() || matches!(parse(&deep), Ok(ParsedFrame::V1(Err(_)))));
    }

    #[test]
    fn commands_of_an_array_are_parsed_separately() {
        let Ok(ParsedFrame::V2(items)) = parse(r#"[{"type":"ping"},{"type":"dance"},3]"#) else {
            panic!("not an array of commands");
        };
        assert_eq!(
            items,
            [
                Ok(Command::Ping),
                Err(ParseError::UnknownType),
                Err(ParseError::NotAnObject)
            ]
        );
        let many = format!("[{}]", vec![PING; MAX_COMMANDS_PER_FRAME + 1].join(","));
        assert_eq!(parse(&many), Err(ParseError::TooManyCommands));
        for empty in ["[]", " [ ]"] {
            assert_eq!(parse(empty), Err(ParseError::NoCommands));
        }
    }

    #[test]
    fn message_length_is_counted_in_characters() {
        let longest = "é".repeat(4_000);
        assert!(matches!(
            parse(&format!(r#"{{"message":"{longest}"}}"#)),
            Ok(ParsedFrame::V1(Ok(_)))
        ));
        assert!(matches!(
            parse(&format!(r#"{{"message":"{longest}x"}}"#)),
            Ok(ParsedFrame::V1(Err(ParseError::Value {
                field: "message",
                ..
            })))
        ));
    }
}
