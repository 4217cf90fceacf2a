//! The validation of texts from clients.
//!
//! Owns the limits of a text and which characters show nothing. A text is stored as sent: it is not
//! normalized, and invisible characters inside it are kept (emoji sequences and several scripts need
//! them). Which names are the same is decided in `core::unicode`.

use thiserror::Error;

/// The characters with the property `Default_Ignorable_Code_Point` (Unicode Standard §5.21): format
/// controls, variation selectors, tags and the Hangul fillers. Nothing is shown for them. The property
/// includes unassigned ranges, so it seldom changes; a test of core compares it with ICU's tables.
const DEFAULT_IGNORABLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Further characters that show nothing: the annotation controls, the blank Braille pattern, the null
/// notehead and the Khitan filler.
const BLANK: [char; 6] = [
    '\u{2800}',
    '\u{fff9}',
    '\u{fffa}',
    '\u{fffb}',
    '\u{16fe4}',
    '\u{1d159}',
];

/// Why a text is invalid. `Display` is a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Empty or white space only.
    #[error("This field may not be blank.")]
    Blank,
    /// Only characters that show nothing.
    #[error("This field must contain a visible character.")]
    Invisible,
    /// More characters than permitted.
    #[error("Ensure this field has no more than {max} characters.")]
    TooLong {
        /// The maximum number of characters.
        max: usize,
    },
    /// U+0000, which PostgreSQL cannot store.
    #[error("Null characters are not allowed.")]
    Null,
    /// A character that the field does not permit.
    #[error("Only printable ASCII characters without spaces are allowed.")]
    Characters,
}

/// Whether a character has the property `Default_Ignorable_Code_Point`.
pub fn is_default_ignorable(character: char) -> bool {
    let index = DEFAULT_IGNORABLE.partition_point(|(_, last)| *last < character);
    let range = DEFAULT_IGNORABLE.get(index);
    range.is_some_and(|(first, _)| *first <= character)
}

/// Whether nothing is shown for a character.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || is_default_ignorable(character)
        || BLANK.contains(&character)
}

/// Validates that a text has at most `max` characters (Unicode scalar values) and no U+0000. A text
/// that is not empty must show something, and with a `min` of 1 or more it must not be blank.
///
/// # Errors
/// The first violated rule, as [`TextError`].
pub fn validate_text(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    if text.contains('\0') {
        return Err(TextError::Null);
    }
    if min > 0 && text.trim().is_empty() {
        return Err(TextError::Blank);
    }
    // A text of at most `max` bytes has at most `max` characters: no need to count them.
    if text.len() > max && text.chars().count() > max {
        return Err(TextError::TooLong { max });
    }
    // Mostly decided by the first character.
    if !text.is_empty() && text.chars().all(is_invisible) {
        return Err(TextError::Invisible);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_visible_character_is_rejected() {
        for character in "\u{ad}\u{34f}\u{115f}\u{1160}\u{180e}\u{200b}\u{200d}\u{2060}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{1d159}\u{e0041}\u{1}\u{9f}".chars() {
            let text = format!(" {character}{character}\n");
            assert_eq!(validate_text(&text, 1, 9), Err(TextError::Invisible), "{text:?}");
            assert_eq!(validate_text(&text, 0, 9), Err(TextError::Invisible), "{text:?}");
            let text = format!("{character}x");
            assert_eq!(validate_text(&text, 1, 9), Ok(()), "{text:?}");
        }
        assert_eq!(validate_text(" \n\u{3000}", 1, 9), Err(TextError::Blank));
        assert_eq!(validate_text("", 0, 9), Ok(()));
    }

    #[test]
    fn text_with_invisible_characters_beside_visible_ones_is_valid() {
        for text in [
            "👩\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            "می\u{200c}خواهم",
            "\u{301}",
            "ᄀ",
            "\u{e000}",
        ] {
            assert_eq!(validate_text(text, 1, 99), Ok(()), "{text:?}");
        }
    }
}
