//! The key of a message. It is the message's `client_message_id` and the head of its text, so a
//! receiver can check whether a text arrived as it was sent, and which edit it belongs to.

use std::fmt;
use std::sync::LazyLock;

/// The longest padding of a text, in characters; below the length limit of a message.
const MAX_PADDING: usize = 3_900;

static PADDING: LazyLock<String> =
    LazyLock::new(|| "some padding for a text, ".repeat(MAX_PADDING / 20));

/// The sending client and the number of the message among its own. Unique within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageKey {
    pub(crate) client: u32,
    pub(crate) number: u32,
}

impl MessageKey {
    /// Parses a `client_message_id`.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (client, number) = id.strip_prefix('c')?.split_once('-')?;
        Some(Self {
            client: client.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// Whether its text is long; every second one is.
    pub(crate) fn is_long(self) -> bool {
        self.hash().is_multiple_of(2)
    }

    fn hash(self) -> usize {
        let mixed = (u64::from(self.client) << 32 | u64::from(self.number))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 32).unwrap_or_default()
    }

    /// The full text of the message as first sent.
    pub(crate) fn text(self) -> String {
        self.revision_text(0)
    }

    /// The full text of edit number `edit`; 0 is the text as first sent.
    pub(crate) fn revision_text(self, edit: u32) -> String {
        let hash = self.hash();
        let length = if self.is_long() {
            MAX_PADDING / 2 + hash % (MAX_PADDING / 2)
        } else {
            hash % 40
        };
        let padding = PADDING.get(..length).unwrap_or_default();
        match edit {
            0 => format!("{self} größer: {padding}."),
            _ => format!("{self}.{edit} größer: {padding}."),
        }
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}-{}", self.client, self.number)
    }
}

/// The text of a message, by its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MessageText {
    /// The text of this edit; 0 is the text as first sent.
    Revision(MessageKey, u32),
    /// Empty: the message was deleted.
    Deleted,
}

impl MessageText {
    /// Recognizes a text; the error says that no client of this run sent it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Deleted);
        }
        let head = text.split(' ').next().unwrap_or_default();
        let revision = match head.split_once('.') {
            None => MessageKey::parse(head).map(|key| (key, 0)),
            Some((key, edit)) => MessageKey::parse(key).zip(edit.parse().ok()),
        };
        let (key, edit) = revision.ok_or_else(|| format!("no client sent {text}"))?;
        if key.revision_text(edit) != text {
            return Err(format!("{key} arrived as {text}"));
        }
        Ok(Self::Revision(key, edit))
    }

    /// The key the text names; a deleted message names none.
    pub(crate) fn key(self) -> Option<MessageKey> {
        match self {
            Self::Revision(key, _) => Some(key),
            Self::Deleted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_ids_parse_back_to_their_key() {
        for number in 0..1_000 {
            let key = MessageKey { client: 7, number };
            assert_eq!(MessageKey::parse(&key.to_string()), Some(key));
            for edit in [0, 1, 12] {
                let text = key.revision_text(edit);
                assert_eq!(
                    MessageText::parse(&text),
                    Ok(MessageText::Revision(key, edit))
                );
                assert!((1..=4_000).contains(&text.chars().count()));
                assert!(MessageText::parse(&text[..text.len() - 1]).is_err());
            }
        }
        assert_eq!(MessageText::parse(""), Ok(MessageText::Deleted));
        assert!(MessageText::parse("hello").is_err());
    }
}
