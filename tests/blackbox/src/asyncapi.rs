//! The server's AsyncAPI description, `/api/asyncapi.json`, and the check of every frame against it.
//!
//! A frame that a socket receives has to match the schema of its type without further fields. A frame
//! that a test sends may be wrong on purpose: then the server must not accept it, and it must not call
//! malformed what the description allows.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::error_codes::ErrorCode;
use crate::schema;
use crate::server::Server;

const PATH: &str = "/api/asyncapi.json";

/// Codes below belong to the WebSocket protocol or to TLS (RFC 6455 §7.4).
const FIRST_APPLICATION_CODE: u16 = 4_000;

static ASYNCAPI: OnceCell<AsyncApi> = OnceCell::const_new();

/// A version of the protocol, which is a channel of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Without `hello`.
    V1,
    /// From `hello` on.
    V2,
}

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A client.
    ToServer,
    /// The server.
    ToClient,
}

/// A frame of the description.
#[derive(Debug)]
struct Message {
    /// Channel and key, such as `v2 message.edited`, and the direction.
    name: String,
    version: Version,
    direction: Direction,
    /// The value of `type`, if it has one.
    kind: Option<String>,
    is_array: bool,
    validator: Validator,
}

/// A server's AsyncAPI description with compiled schemas.
#[derive(Debug)]
pub struct AsyncApi {
    document: Value,
    messages: Vec<Message>,
}

impl AsyncApi {
    /// The description of the server under test, fetched once. The other servers of a host are the
    /// same program.
    pub async fn of(server: &Server) -> &'static Self {
        ASYNCAPI
            .get_or_init(|| async { Self::new(schema::fetch(server, PATH).await) })
            .await
    }

    fn new(document: Value) -> Self {
        let mut messages = Vec::new();
        for (version, channel) in [(Version::V1, "v1"), (Version::V2, "v2")] {
            for direction in [Direction::ToServer, Direction::ToClient] {
                for key in keys(&document, channel, direction) {
                    messages.push(Message::new(&document, (version, channel), direction, &key));
                }
            }
        }
        assert!(!messages.is_empty(), "{PATH} describes no frame");
        Self { document, messages }
    }

    /// The document itself.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The name of every described frame: direction, channel and key.
    pub fn frames(&self) -> BTreeSet<String> {
        let names = self.messages.iter().map(|message| message.name.clone());
        names.collect()
    }

    /// The described frame that this one is. The error says why it is none.
    pub(crate) fn identify(
        &self,
        version: Version,
        direction: Direction,
        frame: &Value,
    ) -> Result<&str, String> {
        let kind = frame["type"].as_str();
        let message = self.messages.iter().find(|message| {
            message.version == version
                && message.direction == direction
                && message.is_array == frame.is_array()
                && (message.is_array || message.kind.as_deref() == kind)
        });
        let Some(message) = message else {
            return Err(format!(
                "no {version:?} frame of the type {kind:?} is described"
            ));
        };
        let errors: Vec<String> = message
            .validator
            .iter_errors(frame)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        if !errors.is_empty() {
            return Err(format!("{}: {}", message.name, errors.join("; ")));
        }
        if direction == Direction::ToClient && frame.get("error").is_some() {
            check_error(frame)?;
        }
        Ok(&message.name)
    }

    /// What is wrong with a close: an undescribed code, or another reason.
    pub(crate) fn check_close(&self, code: u16, reason: &str) -> Result<(), String> {
        let codes = self.document["x-close-codes"].as_array();
        let mut codes = codes.into_iter().flatten();
        let Some(described) = codes.find(|row| row["code"] == code) else {
            return if code < FIRST_APPLICATION_CODE {
                Ok(())
            } else {
                Err(format!("the close code {code} is not described: {reason}"))
            };
        };
        // The wait in a reason depends on the case.
        let words = |reason: &str| reason.split(';').next().unwrap_or_default().to_owned();
        let expected = words(described["reason"].as_str().unwrap_or_default());
        if code >= FIRST_APPLICATION_CODE && words(reason) != expected {
            return Err(format!("{code} {reason:?} is described as {expected:?}"));
        }
        Ok(())
    }
}

impl Message {
    fn new(
        document: &Value,
        (version, channel): (Version, &str),
        direction: Direction,
        key: &str,
    ) -> Self {
        let payload = &document["components"]["messages"][key]["payload"];
        let reference = payload["$ref"].as_str();
        let reference = reference.unwrap_or_else(|| panic!("{key} has no named schema"));
        let of_frame = document.pointer(&reference[1..]);
        let of_frame = of_frame.unwrap_or_else(|| panic!("{reference} does not resolve"));
        let kind = &of_frame["properties"]["type"]["const"];
        let mut strict = document.clone();
        // Clients ignore unknown fields, and so does the server. It sends none.
        if direction == Direction::ToClient {
            close_objects(&mut strict["components"]["schemas"]);
        }
        strict["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        Self {
            name: format!("{direction:?} {channel} {key}"),
            version,
            direction,
            kind: kind.as_str().map(str::to_owned),
            is_array: of_frame["type"] == "array",
            validator: schema::compile(&strict, reference),
        }
    }
}

/// The keys of the messages of a channel: those the server receives, or those it sends unasked or as a
/// reply.
fn keys(document: &Value, channel: &str, direction: Direction) -> BTreeSet<String> {
    let reference = format!("#/channels/{channel}");
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut keys = BTreeSet::new();
    for (_, operation) in operations.filter(|(_, one)| one["channel"]["$ref"] == *reference) {
        let is_received = operation["action"] == "receive";
        let messages = match (direction, is_received) {
            (Direction::ToServer, true) | (Direction::ToClient, false) => &operation["messages"],
            (Direction::ToClient, true) => &operation["reply"]["messages"],
            (Direction::ToServer, false) => continue,
        };
        let references = messages.as_array().into_iter().flatten();
        let references = references.filter_map(|message| message["$ref"].as_str());
        keys.extend(references.filter_map(|one| Some(one.rsplit('/').next()?.to_owned())));
    }
    keys
}

/// Forbids fields that an object's schema does not name.
fn close_objects(schema: &mut Value) {
    if schema["type"] == "object" && schema["properties"].is_object() {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(close_objects),
        Value::Array(items) => items.iter_mut().for_each(close_objects),
        _ => {}
    }
}

/// The rules for the fields of an error that a schema cannot state.
fn check_error(frame: &Value) -> Result<(), String> {
    let code = ErrorCode::of(frame);
    if frame["retryable"] != code.retryable {
        return Err(format!("wrong retryable for {}", code.name));
    }
    if code.name == "throttled" && frame.get("retry_after_ms").is_none() {
        return Err("throttled without retry_after_ms".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document that servers of this version serve.
    fn description() -> AsyncApi {
        let text = include_str!("../../../web/wire/asyncapi.json");
        AsyncApi::new(serde_json::from_str(text).expect("JSON"))
    }

    fn received(version: Version, frame: &Value) -> Result<String, String> {
        let description = description();
        let name = description.identify(version, Direction::ToClient, frame)?;
        Ok(name.to_owned())
    }

    #[test]
    fn described_frames_are_identified() {
        let deleted = json!({"type": "message.deleted", "seq": 3, "message_id": 1, "version": 2,
            "user_id": 1, "timestamp": "2026-01-01T00:00:00.000Z"});
        let batch = json!({"type": "batch", "events": [deleted.clone()]});
        let v1_error = json!({"error": "Not so fast.", "code": "throttled", "retryable": true,
            "retry_after_ms": 1});
        for (version, frame, name) in [
            (Version::V1, json!({"type": "pong"}), "ToClient v1 pong"),
            (Version::V1, v1_error, "ToClient v1 v1.error"),
            (Version::V2, deleted, "ToClient v2 message.deleted"),
            (Version::V2, batch, "ToClient v2 batch"),
        ] {
            assert_eq!(received(version, &frame).as_deref(), Ok(name), "{frame}");
        }
        let commands = json!([{"type": "ping"}, {"type": "resume", "since": 0, "further": 1}]);
        let description = description();
        let sent = description.identify(Version::V2, Direction::ToServer, &commands);
        assert_eq!(sent, Ok("ToServer v2 commands"));
    }

    #[test]
    fn other_frames_are_rejected() {
        let time = "2026-01-01T00:00:00.000Z";
        for frame in [
            json!({"type": "typing"}),
            json!({"message": "no ids"}),
            json!({"type": "pong", "further": 1}),
            json!({"type": "batch", "events": []}),
            json!({"type": "batch", "events": [{"type": "pong"}]}),
            json!({"type": "sync", "from": 1, "to": 2, "count": 1, "complete": false}),
            json!({"type": "error", "error": "No.", "code": "nonsense", "retryable": false}),
            json!({"type": "error", "error": "No.", "code": "throttled", "retryable": true}),
            json!({"type": "error", "error": "No.", "code": "invalid", "retryable": true}),
            json!({"type": "auth.ok", "token_expires_at": "2026-01-01T00:00:00+01:00",
                "server_time": time}),
            json!({"type": "message.deleted", "seq": 3, "message_id": 1, "version": 1, "user_id": 1,
                "timestamp": time}),
        ] {
            assert!(received(Version::V2, &frame).is_err(), "{frame}");
        }
        let deleted = json!({"type": "message.deleted", "seq": 3, "message_id": 1, "version": 2,
            "user_id": 1, "timestamp": time});
        assert!(
            received(Version::V1, &deleted).is_err(),
            "a v2 frame on a v1 socket"
        );
    }

    #[test]
    fn close_codes_have_their_reasons() {
        let description = description();
        let check = |code, reason| description.check_close(code, reason).is_ok();
        assert!(check(1006, "the connection ended"));
        assert!(check(4101, "overloaded; after_ms=1500"));
        assert!(!check(4101, "restarting"));
        assert!(!check(4499, "unknown"));
    }
}
