//! The validation of texts from clients.

use thiserror::Error;

/// Why a text is invalid. `Display` is a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Empty or white space only.
    #[error("This field may not be blank.")]
    Blank,
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

/// Validates that a text has at most `max` characters (Unicode scalar values) and no U+0000. With
/// a `min` of 1 or more it must also contain something other than white space.
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
    Ok(())
}
