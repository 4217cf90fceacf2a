//! How many bytes a page may have.
//!
//! A page is bounded by a number of entries and by their size, so that no answer can be made large:
//! a hundred messages of the greatest length are 2.4 MB of JSON, two hundred conversations of a
//! hundred members 4 MB and more. A page that ends early has its cursor or `Link` as any other.
//!
//! The statements compute the size where they read (`messages/page`, `conversations/list`); the
//! cached history and the list apply the same bound to what they have in memory.

use colloquy_proto::domain::Message;

/// The size that ends a page of a history: the message that reaches it is the last one. A message
/// counts with `message_bytes`. The text of one has at most 24 KB of JSON, so the whole response
/// stays below 512 KiB unless every message uses more than 1 KiB for its other fields.
/// `shared/conversation_fields` has the same number.
pub const MAX_HISTORY_BYTES: i64 = 480 * 1024;

/// The largest page of a list of conversations, unless its first entry alone is larger. The
/// statement reads at least as much.
pub const MAX_LIST_BYTES: i64 = 512 * 1024;

/// What a message counts for its fields other than the text.
const MESSAGE_OVERHEAD: i64 = 1024;

/// What a message counts: its text in JSON, and 1 KiB for the rest. As `shared/message_bytes`.
fn message_bytes(message: &Message) -> i64 {
    let text = json_length(&message.content);
    MESSAGE_OVERHEAD.saturating_add(i64::try_from(text).unwrap_or(i64::MAX))
}

/// The number of newest messages that a page ends with, and whether these fill it. `messages` is in
/// ascending order and ends with the newest.
pub fn newest_that_fit(messages: &[Message]) -> (usize, bool) {
    let mut bytes = 0_i64;
    for (count, message) in (1..).zip(messages.iter().rev()) {
        bytes = bytes.saturating_add(message_bytes(message));
        if bytes >= MAX_HISTORY_BYTES {
            return (count, true);
        }
    }
    (messages.len(), false)
}

/// The length of a text as a JSON string, with its quotes. PostgreSQL, SQLite and `serde_json` escape
/// the same characters (RFC 8259 §7): quotes, backslashes, and those below U+0020.
fn json_length(text: &str) -> usize {
    let added = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0C | b'\r' => 1,
        0..0x20 => 5,
        _ => 0,
    });
    text.len() + added.sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_length_is_that_of_the_serialized_text() {
        let controls: String = (0..=0x7F_u8).map(char::from).collect();
        for text in ["", "plain", "größer 𝄞", "\"\\/", &controls] {
            let json = serde_json::to_string(text).expect("a string");
            assert_eq!(json_length(text), json.len(), "{text:?}");
        }
    }
}
