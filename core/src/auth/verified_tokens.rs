//! Optimisation: memoizes verified access tokens by their SHA-256, so that a token is parsed and
//! its signature checked once and not with every request.
//!
//! The micro-benchmark `verify_token` measures both ways. Only the result of
//! [`Tokens::verify_access`](super::Tokens::verify_access) is stored, and the expiry is checked at
//! every use, so removing this module changes nothing but the cost. Two tokens could be confused
//! only by a collision of SHA-256.

use sha2::{Digest as _, Sha256};

use crate::bounded_cache::BoundedCache;
use colloquy_proto::domain::Caller;

/// The memory limit: about five thousand callers.
const CAPACITY_BYTES: usize = 1024 * 1024;

/// The approximate memory of an entry: digest, caller, and their slots in a map.
const ENTRY_BYTES: usize = 200;

/// The SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

/// The callers of verified access tokens.
pub(super) struct VerifiedTokens(BoundedCache<TokenDigest, Caller>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(BoundedCache::new(CAPACITY_BYTES))
    }
}

impl VerifiedTokens {
    pub(super) fn digest(token: &str) -> TokenDigest {
        Sha256::digest(token).into()
    }

    /// The caller of a token that was verified before; the token may have expired since.
    pub(super) fn get(&self, digest: &TokenDigest) -> Option<Caller> {
        self.0.get(digest)
    }

    pub(super) fn insert(&self, digest: TokenDigest, caller: Caller) {
        self.0.put(digest, caller, ENTRY_BYTES);
    }
}
