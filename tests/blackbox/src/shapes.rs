//! The shapes of frames. Every frame that a socket of the suite receives is checked against them.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error_codes::ErrorCode;

/// One field of a frame and what it must be.
type Field = (&'static str, fn(&Value) -> bool);

const HELLO: [Field; 10] = [
    ("v", |value| value == 2),
    ("conversation_id", is_count),
    ("epoch", is_text),
    ("seq", is_count),
    ("number", is_count),
    ("user_id", is_count),
    ("heartbeat_s", is_count),
    ("token_expires_at", is_timestamp),
    ("server_time", is_timestamp),
    ("limits", Value::is_object),
];

const ACK: [Field; 6] = [
    ("client_message_id", is_text),
    ("message_id", is_count),
    ("seq", is_count),
    ("number", is_count),
    ("timestamp", is_timestamp),
    ("duplicate", Value::is_boolean),
];

const MESSAGE: [Field; 11] = [
    ("seq", is_count),
    ("number", is_count),
    ("message_id", is_count),
    // Empty when the message has been deleted since.
    ("message", Value::is_string),
    ("sender_id", is_count),
    ("sender", is_text),
    ("timestamp", is_timestamp),
    ("client_message_id", |value| {
        value.is_null() || is_text(value)
    }),
    ("reply_to", |value| value.is_null() || is_count(value)),
    ("mentions", |value| {
        value.as_array().is_some_and(|ids| ids.iter().all(is_count))
    }),
    ("version", is_count),
];

const EDITED: [Field; 6] = [
    ("seq", is_count),
    ("message_id", is_count),
    // Empty when the message has been deleted since.
    ("message", Value::is_string),
    ("version", is_later_version),
    ("user_id", is_count),
    ("timestamp", is_timestamp),
];

const DELETED: [Field; 5] = [
    ("seq", is_count),
    ("message_id", is_count),
    ("version", is_later_version),
    ("user_id", is_count),
    ("timestamp", is_timestamp),
];

const MEMBER: [Field; 6] = [
    ("seq", is_count),
    ("user_id", is_count),
    ("username", is_text),
    ("change", |value| value == "joined" || value == "left"),
    ("by", is_count),
    ("timestamp", is_timestamp),
];

const SYNC: [Field; 4] = [
    ("from", is_count),
    ("to", is_count),
    ("count", is_count),
    ("complete", |value| value == true),
];

const RESET: [Field; 3] = [
    ("reason", |value| {
        value == "too_old" || value == "epoch_changed"
    }),
    ("seq", is_count),
    ("epoch", is_text),
];

const ERROR: [Field; 3] = [
    ("error", is_text),
    ("code", is_text),
    ("retryable", Value::is_boolean),
];

const AUTH_EXPIRING: [Field; 1] = [("in_s", Value::is_i64)];
const AUTH_OK: [Field; 2] = [
    ("token_expires_at", is_timestamp),
    ("server_time", is_timestamp),
];

/// What is wrong with a frame, if anything.
pub(crate) fn problem(frame: &Value) -> Option<String> {
    let fields: &[Field] = match frame["type"].as_str() {
        Some("hello") => &HELLO,
        Some("ack") => &ACK,
        Some("message") => &MESSAGE,
        Some("message.edited") => &EDITED,
        Some("message.deleted") => &DELETED,
        Some("member") => &MEMBER,
        Some("sync") => &SYNC,
        Some("reset") => &RESET,
        Some("error") => &ERROR,
        Some("auth.expiring") => &AUTH_EXPIRING,
        Some("auth.ok") => &AUTH_OK,
        Some("pong") => &[],
        // A v1 error: the same fields without the type.
        None if frame.get("error").is_some() => &ERROR,
        other => return Some(format!("unknown type {other:?}")),
    };
    for (name, check) in fields {
        if !frame.get(name).is_some_and(check) {
            return Some(format!("the field {name} is missing or wrong"));
        }
    }
    match frame.get("error") {
        Some(_) => error_problem(frame),
        None => None,
    }
}

fn error_problem(frame: &Value) -> Option<String> {
    let Some(code) = frame["code"].as_str().and_then(ErrorCode::named) else {
        return Some("an unknown error code".to_owned());
    };
    if frame["retryable"] != code.retryable {
        return Some(format!("wrong retryable for {}", code.name));
    }
    let wait = frame.get("retry_after_ms");
    if wait.is_some_and(|wait| !is_count(wait)) || (code.name == "throttled" && wait.is_none()) {
        return Some("retry_after_ms is missing or wrong".to_owned());
    }
    None
}

/// Whether a frame is a durable event: it has a `seq` and is the same for every member.
pub fn is_event(frame: &Value) -> bool {
    ["message", "message.edited", "message.deleted", "member"]
        .iter()
        .any(|kind| frame["type"] == *kind)
}

/// Parses a time of the protocol: RFC 3339, in UTC. Panics when it is not one.
#[track_caller]
pub fn timestamp(value: &Value) -> OffsetDateTime {
    parse(value).unwrap_or_else(|| panic!("not an RFC 3339 time in UTC: {value}"))
}

fn parse(value: &Value) -> Option<OffsetDateTime> {
    let time = OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()?;
    time.offset().is_utc().then_some(time)
}

fn is_timestamp(value: &Value) -> bool {
    parse(value).is_some()
}

fn is_count(value: &Value) -> bool {
    value.is_u64()
}

/// The version of a message that was edited or deleted.
fn is_later_version(value: &Value) -> bool {
    value.as_u64().is_some_and(|version| version > 1)
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_of_the_protocol_are_accepted() {
        for frame in [
            json!({"type": "pong"}),
            json!({"error": "Not so fast.", "code": "throttled", "retryable": true,
                "retry_after_ms": 1}),
            json!({"type": "sync", "from": 1, "to": 2, "count": 1, "complete": true}),
            json!({"type": "message.deleted", "seq": 3, "message_id": 1, "version": 2,
                "user_id": 1, "timestamp": "2026-01-01T00:00:00.000Z"}),
            json!({"type": "member", "seq": 3, "user_id": 1, "username": "ada",
                "change": "joined", "by": 2, "timestamp": "2026-01-01T00:00:00.000Z"}),
        ] {
            assert_eq!(problem(&frame), None, "{frame}");
        }
    }

    #[test]
    fn frames_outside_the_protocol_are_rejected() {
        for frame in [
            json!({"type": "typing"}),
            json!({"type": "sync", "from": 1, "to": 2, "count": 1, "complete": false}),
            json!({"type": "error", "error": "No.", "code": "nonsense", "retryable": false}),
            json!({"type": "error", "error": "No.", "code": "throttled", "retryable": true}),
            json!({"type": "error", "error": "No.", "code": "invalid", "retryable": true}),
            json!({"type": "auth.ok", "token_expires_at": "2026-01-01T00:00:00+01:00"}),
            json!({"message": "no ids"}),
            json!({"type": "message.deleted", "seq": 3, "message_id": 1, "version": 1,
                "user_id": 1, "timestamp": "2026-01-01T00:00:00.000Z"}),
        ] {
            assert!(problem(&frame).is_some(), "{frame}");
        }
    }
}
