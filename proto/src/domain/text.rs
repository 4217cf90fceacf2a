//! What any text from outside must meet before it may be stored.

use thiserror::Error;

/// Why a text was refused. The display form is a sentence a client may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing but white space where something is needed.
    #[error("This field may not be blank.")]
    Blank,
    /// More characters than allowed.
    #[error("Ensure this field has no more than {max} characters.")]
    TooLong {
        /// The most characters allowed.
        max: usize,
    },
    /// U+0000, which PostgreSQL cannot store.
    #[error("Null characters are not allowed.")]
    Null,
    /// A character outside the field's alphabet.
    #[error("Only printable ASCII characters without spaces are allowed.")]
    Characters,
}

/// Checks a text's length in characters (Unicode scalar values) and that it holds no U+0000.
///
/// `min` of 1 or more also refuses a text of white space alone.
///
/// # Errors
/// The first rule broken, as [`TextError`].
pub fn validate_text(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    if text.contains('\0') {
        return Err(TextError::Null);
    }
    if min > 0 && text.trim().is_empty() {
        return Err(TextError::Blank);
    }
    // A text of at most `max` bytes has at most `max` characters: the common case costs nothing.
    if text.len() > max && text.chars().count() > max {
        return Err(TextError::TooLong { max });
    }
    Ok(())
}
