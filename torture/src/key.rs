//! A message's own name, which its text and its `client_message_id` both tell, and the text that
//! belongs to it: whoever hears a message can say whether it came as it was sent.

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
    /// The key a `client_message_id`, or the beginning of a text, tells.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (client, rest) = text.strip_prefix('c')?.split_once('-')?;
        let number = rest.split_once(' ').map_or(rest, |(number, _)| number);
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

    /// The whole text of the message.
    pub(crate) fn text(self) -> String {
        let random = self.random();
        let length = if self.is_long() {
            FILLING / 2 + random % (FILLING / 2)
        } else {
            random % 40
        };
        let filling = WORDS.get(..length).unwrap_or_default();
        format!("{self} größer: {filling}.")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}-{}", self.client, self.number)
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
            assert_eq!(Key::parse(&key.text()), Some(key));
            assert!((1..=4_000).contains(&key.text().chars().count()));
        }
        assert_eq!(Key::parse("hello"), None);
    }
}
