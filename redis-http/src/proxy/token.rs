//! The bearer token, protected against logs and timing attacks.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The token of callers (RFC 6750), stored as its SHA-256 digest.
///
/// Digests have one length, so a constant-time comparison hides the token's length as well.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// A token of printable ASCII; `None` for any other, which is not valid in a header.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let valid = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then(|| Self(Sha256::digest(token).into()))
    }

    /// True if the `Authorization` header has this token.
    pub(super) fn admits(&self, authorization: &[u8]) -> bool {
        let Some((scheme, presented)) = authorization.split_at_checked("Bearer ".len()) else {
            return false;
        };
        let presented: [u8; 32] = Sha256::digest(presented).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") & bool::from(self.0.ct_eq(&presented))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_token_is_accepted() {
        let token = Token::new("correct").expect("a token");
        assert!(token.admits(b"Bearer correct") && token.admits(b"bearer correct"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "correct",
            "Bearer correc",
            "Bearer correctx",
            "Basic correct",
        ] {
            assert!(!token.admits(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn tokens_invalid_in_a_header_are_rejected() {
        assert!(
            Token::new("").is_none() && Token::new("a b").is_none() && Token::new("é").is_none()
        );
    }
}
