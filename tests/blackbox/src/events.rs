//! What tests read from frames.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whether a frame is a durable event: it has a `seq` and is the same for every member.
pub fn is_event(frame: &Value) -> bool {
    ["message", "message.edited", "message.deleted", "member"]
        .iter()
        .any(|kind| frame["type"] == *kind)
}

/// Parses a time of the protocol: RFC 3339, in UTC. Panics when it is not one.
#[track_caller]
pub fn timestamp(value: &Value) -> OffsetDateTime {
    let time = value
        .as_str()
        .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    time.filter(|time| time.offset().is_utc())
        .unwrap_or_else(|| panic!("not an RFC 3339 time in UTC: {value}"))
}
