//! The bearer token: kept so that neither a log nor a stopwatch tells it.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The token callers must present (RFC 6750), kept as its SHA-256 digest.
///
/// Digests have one length, so comparing them in constant time hides the token's length too.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Takes over a token of printable ASCII; `None` for any other, which no header can carry.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        sendable.then(|| Self(Sha256::digest(token).into()))
    }

    /// True if `authorization`, the value of that header, presents this token.
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
    fn only_the_whole_token_is_admitted() {
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
    fn tokens_no_header_can_carry_are_refused() {
        assert!(
            Token::new("").is_none() && Token::new("a b").is_none() && Token::new("é").is_none()
        );
    }
}
