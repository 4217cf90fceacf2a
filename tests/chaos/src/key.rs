//! A message's own name, which its text and its `client_message_id` both tell, and the texts that
//! belong to it: whoever hears a message can say whether it came as it was sent, or as it was edited
//! for which time.

use std::fmt;
use std::sync::LazyLock;

/// The longest filling of a text, in characters; below the limit of a message.
const FILLING: usize = 3_900;

static WORDS: LazyLock<String> = LazyLock::new(|| "words that say nothing, ".repeat(FILLING / 20));

/// Who sent it and which of that client's messages it is. Unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) client: u32,
    pub(crate) number: u32,
}

impl Key {
    /// The key a `client_message_id` tells.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (client, number) = id.strip_prefix('c')?.split_once('-')?;
        Some(Self {
            client: client.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// Whether its text is long, as every second one is.
    pub(crate) fn is_long(self) -> bool {
        self.random().is_multiple_of(2)
    }

    fn random(self) -> usize {
        let mixed = (u64::from(self.client) << 32 | u64::from(self.number))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 32).unwrap_or_default()
    }

    /// The whole text of the message, as it is sent.
    pub(crate) fn text(self) -> String {
        self.draft(0)
    }

    /// The whole text that its edit of this number gives it.
    pub(crate) fn draft(self, edit: u32) -> String {
        let random = self.random();
        let length = if self.is_long() {
            FILLING / 2 + random % (FILLING / 2)
        } else {
            random % 40
        };
        let filling = WORDS.get(..length).unwrap_or_default();
        match edit {
            0 => format!("{self} größer: {filling}."),
            _ => format!("{self}.{edit} größer: {filling}."),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}-{}", self.client, self.number)
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Text {
    /// What its edit of this number gave it; 0 is as it was sent.
    Draft(Key, u32),
    /// Nothing: it was deleted.
    Gone,
}

impl Text {
    /// Which text it is; the error is that nobody here has sent it so.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Gone);
        }
        let head = text.split(' ').next().unwrap_or_default();
        let draft = match head.split_once('.') {
            None => Key::parse(head).map(|key| (key, 0)),
            Some((key, edit)) => Key::parse(key).zip(edit.parse().ok()),
        };
        let (key, edit) = draft.ok_or_else(|| format!("nobody sent {text}"))?;
        if key.draft(edit) != text {
            return Err(format!("{key} came as {text}"));
        }
        Ok(Self::Draft(key, edit))
    }

    /// Whose it is, when it says so.
    pub(crate) fn key(self) -> Option<Key> {
        match self {
            Self::Draft(key, _) => Some(key),
            Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_ids_tell_the_key() {
        for number in 0..1_000 {
            let key = Key { client: 7, number };
            assert_eq!(Key::parse(&key.to_string()), Some(key));
            for edit in [0, 1, 12] {
                let text = key.draft(edit);
                assert_eq!(Text::parse(&text), Ok(Text::Draft(key, edit)));
                assert!((1..=4_000).contains(&text.chars().count()));
                assert!(Text::parse(&text[..text.len() - 1]).is_err());
            }
        }
        assert_eq!(Text::parse(""), Ok(Text::Gone));
        assert!(Text::parse("hello").is_err());
    }
}
