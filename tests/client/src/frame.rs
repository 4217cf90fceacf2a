//! The server's frames, read into one struct, and the commands a client writes.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

/// Any frame of the server, v1 or v2. A field that the frame does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of docs/protocol.md")]
#[serde(default)]
pub struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Option<Cow<'a, str>>,
    pub seq: Option<u64>,
    pub number: Option<u64>,
    pub message_id: Option<u64>,
    pub sender_id: Option<u64>,
    pub user_id: Option<u64>,
    pub version: Option<u64>,
    #[serde(borrow)]
    pub message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub change: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub client_message_id: Option<Cow<'a, str>>,
    pub duplicate: Option<bool>,
    #[serde(borrow)]
    pub error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    pub retryable: Option<bool>,
    pub retry_after_ms: Option<u64>,
    #[serde(borrow)]
    pub epoch: Option<Cow<'a, str>>,
    pub heartbeat_s: Option<u64>,
    pub from: Option<u64>,
    pub to: Option<u64>,
    #[serde(borrow)]
    pub events: Vec<Frame<'a>>,
}

impl<'a> Frame<'a> {
    /// Parses a text frame.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The `type`; `""` for a v1 error, which has none.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Whether it is a durable event, which has a `seq`.
    pub fn is_event(&self) -> bool {
        matches!(
            self.kind(),
            "message" | "message.edited" | "message.deleted" | "member"
        )
    }

    /// The frame with all its text copied, to outlive the text it was parsed from.
    pub fn into_owned(self) -> Frame<'static> {
        fn own(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
            text.map(|text| Cow::Owned(text.into_owned()))
        }
        Frame {
            kind: own(self.kind),
            message: own(self.message),
            change: own(self.change),
            client_message_id: own(self.client_message_id),
            error: own(self.error),
            code: own(self.code),
            epoch: own(self.epoch),
            events: self.events.into_iter().map(Frame::into_owned).collect(),
            seq: self.seq,
            number: self.number,
            message_id: self.message_id,
            sender_id: self.sender_id,
            user_id: self.user_id,
            version: self.version,
            duplicate: self.duplicate,
            retryable: self.retryable,
            retry_after_ms: self.retry_after_ms,
            heartbeat_s: self.heartbeat_s,
            from: self.from,
            to: self.to,
        }
    }
}

/// A `send` command. Several may share a frame as a JSON array.
pub fn send_command(client_message_id: &str, text: &str) -> Value {
    json!({"type": "send", "client_message_id": client_message_id, "message": text})
}

/// A `resume` command.
pub fn resume_command(since: u64, epoch: Option<&str>) -> Value {
    json!({"type": "resume", "since": since, "epoch": epoch})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_both_versions_are_parsed() {
        let text = r#"{"type":"batch","events":[{"type":"message","seq":3,"message":"a\"b"}]}"#;
        let frame = Frame::parse(text).unwrap().into_owned();
        assert_eq!(frame.kind(), "batch");
        assert_eq!(frame.events[0].message.as_deref(), Some("a\"b"));
        assert!(frame.events[0].is_event());
        let refused = Frame::parse(r#"{"error":"No.","code":"throttled","new":1}"#).unwrap();
        assert_eq!(
            (refused.kind(), refused.code.as_deref()),
            ("", Some("throttled"))
        );
    }
}
