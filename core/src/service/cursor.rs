//! Pagination cursors: opaque to clients, which return them unchanged.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use colloquy_proto::domain::{ConversationId, ListPosition, MessageNumber, UserId};

/// Longer texts are rejected without decoding.
const MAX_CHARS: usize = 64;

/// The cursor of a message.
pub fn of_number(number: MessageNumber) -> String {
    URL_SAFE_NO_PAD.encode(number.to_string())
}

/// The message a cursor names. A plain number is accepted as well; an encoded cursor never parses
/// as a number.
pub fn number(cursor: &str) -> Option<MessageNumber> {
    let number = match cursor.parse() {
        Ok(number) => number,
        Err(_) => decode(cursor)?.parse().ok()?,
    };
    (number >= 0).then_some(MessageNumber(number))
}

/// The cursor of a conversation in the list.
pub fn of_list_position(position: ListPosition, id: ConversationId) -> String {
    URL_SAFE_NO_PAD.encode(format!("{position}:{id}"))
}

/// The conversation in the list a cursor names.
pub fn list_position(cursor: &str) -> Option<(ListPosition, ConversationId)> {
    let text = decode(cursor)?;
    let (position, id) = text.split_once(':')?;
    Some((
        ListPosition(position.parse().ok()?),
        ConversationId(id.parse().ok()?),
    ))
}

/// The cursor of a member in the list of members.
pub fn of_member(id: UserId) -> String {
    URL_SAFE_NO_PAD.encode(format!("m{id}"))
}

/// The member a cursor names.
pub fn member(cursor: &str) -> Option<UserId> {
    let id = decode(cursor)?.strip_prefix('m')?.parse().ok()?;
    (id > 0).then_some(UserId(id))
}

fn decode(cursor: &str) -> Option<String> {
    if cursor.len() > MAX_CHARS {
        return None;
    }
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip() {
        for number_ in [0, 1, 42, 9_999_999, i64::MAX] {
            assert_eq!(
                number(&of_number(MessageNumber(number_))),
                Some(MessageNumber(number_))
            );
            assert_eq!(number(&number_.to_string()), Some(MessageNumber(number_)));
        }
        assert_eq!(member(&of_member(UserId(7))), Some(UserId(7)));
        for position in [i64::MIN, -1, 0, 42, i64::MAX] {
            let position = (ListPosition(position), ConversationId(7));
            assert_eq!(
                list_position(&of_list_position(position.0, position.1)),
                Some(position)
            );
        }
    }

    #[test]
    fn invalid_cursors_are_rejected() {
        for text in [
            "",
            "-1",
            "x",
            "9999999999999999999",
            "é",
            "MTI=",
            &of_list_position(ListPosition(1), ConversationId(2)),
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(list_position(&of_number(MessageNumber(1))), None);
        // What cursors were before: a time.
        let former = URL_SAFE_NO_PAD.encode("1800000000123.7");
        assert_eq!(list_position(&former), None);
    }
}
