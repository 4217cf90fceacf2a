//! Access and refresh tokens: JWT (RFC 7519), HS256, with the key named by `kid`.
//!
//! A token says who, which login and until when. Whether that login still stands is not a
//! token's to say: the statement that does the work asks the database.

use std::fmt::Write as _;

use chrono::DateTime;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header, UntrustedToken};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::bounded_cache::BoundedCache;
use crate::config::Secret;
use colloquy_proto::domain::{Caller, Seconds, SessionId, Timestamp, UserId};
use colloquy_proto::room::TokenRejected;

/// Longer texts are no tokens of ours; ours have about 300 characters.
const MAX_TOKEN_BYTES: usize = 2_048;

/// How many bytes of genuine tokens are remembered: those of some five thousand callers.
const REMEMBERED_BYTES: usize = 1024 * 1024;

/// About what one takes: its digest and its caller, with their places in a map.
const CALLER_BYTES: usize = 200;

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Forged, malformed, signed with an unknown key, or of the wrong kind.
    #[error("Token is invalid.")]
    Invalid,
    /// Genuine, but its time is over.
    #[error("Token is expired.")]
    Expired,
}

impl From<TokenError> for TokenRejected {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::Expired,
            TokenError::Invalid => Self::Invalid,
        }
    }
}

/// What a genuine refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The account.
    pub user_id: UserId,
    /// The login.
    pub session_id: SessionId,
    /// Which rotation of the login it belongs to, from 0.
    pub generation: i64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The claim names are those of `djangorestframework-simplejwt`, whose tokens clients may decode.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Custom {
    token_type: Kind,
    /// Unique, so that two tokens are never the same text.
    jti: String,
    user_id: UserId,
    /// The login.
    sid: SessionId,
    /// The rotation; in refresh tokens.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Access,
    Refresh,
}

struct Key {
    id: String,
    key: Hs256Key,
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let mut id = String::new();
        for byte in digest(secret, "key id").iter().take(4) {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        Self {
            id,
            key: Hs256Key::new(secret.reveal()),
        }
    }
}

/// One-way: what is derived from a key tells nothing of it, nor of what else is derived.
fn digest(secret: &Secret, purpose: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(secret.reveal());
    hash.finalize().into()
}

/// Issues tokens and verifies them. The times are handed in; there is no leeway, since issuer
/// and verifier share one clock.
pub struct Tokens {
    current: Key,
    previous: Vec<Key>,
    pepper: [u8; 32],
    access: Seconds,
    refresh: Seconds,
    /// Who speaks by access tokens that were found genuine, by the tokens' SHA-256.
    recognised: BoundedCache<[u8; 32], Caller>,
}

impl Tokens {
    /// Signs with `secret`; verifies with it and with the `previous` ones, so that a key can be
    /// replaced without ending every login.
    pub fn new(secret: &Secret, previous: &[Secret], access: Seconds, refresh: Seconds) -> Self {
        Self {
            current: Key::new(secret),
            previous: previous.iter().map(Key::new).collect(),
            pepper: digest(secret, "pepper"),
            access,
            refresh,
            recognised: BoundedCache::new(REMEMBERED_BYTES),
        }
    }

    /// A secret derived from the signing key, for hashing what must not be guessed back.
    pub(crate) const fn pepper(&self) -> [u8; 32] {
        self.pepper
    }

    /// How long a refresh token lives.
    pub const fn refresh_lifetime(&self) -> Seconds {
        self.refresh
    }

    /// A new access token and when it ends.
    pub fn issue_access(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> (String, Timestamp) {
        self.issue(Kind::Access, user_id, session_id, None, now)
    }

    /// A new refresh token of this generation and when it ends.
    pub fn issue_refresh(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        generation: i64,
        now: Timestamp,
    ) -> (String, Timestamp) {
        self.issue(Kind::Refresh, user_id, session_id, Some(generation), now)
    }

    /// Who an access token speaks for.
    ///
    /// # Errors
    /// [`TokenError`]; expiry is told only of genuine tokens.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
        let (claims, expires_at) = self.verify(token, Kind::Access, now)?;
        Ok(Caller {
            user_id: claims.user_id,
            session_id: claims.sid,
            expires_at,
        })
    }

    /// The same as [`Self::verify_access`], for a token that is likely to come again: one that was
    /// found genuine is known by its digest, which costs less than verifying it again.
    ///
    /// # Errors
    /// Those of [`Self::verify_access`].
    pub fn recognise_access(&self, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
        let digest = Sha256::digest(token).into();
        if let Some(caller) = self.recognised.get(&digest) {
            return unexpired(caller.expires_at, now).map(|()| caller);
        }
        let caller = self.verify_access(token, now)?;
        self.recognised.put(digest, caller.clone(), CALLER_BYTES);
        Ok(caller)
    }

    /// What a refresh token says.
    ///
    /// # Errors
    /// [`TokenError`]; expiry is told only of genuine tokens.
    pub fn verify_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshToken, TokenError> {
        let (claims, expires_at) = self.verify(token, Kind::Refresh, now)?;
        let generation = claims.generation.ok_or(TokenError::Invalid)?;
        Ok(RefreshToken {
            user_id: claims.user_id,
            session_id: claims.sid,
            generation,
            expires_at,
        })
    }

    fn issue(
        &self,
        token_type: Kind,
        user_id: UserId,
        sid: &SessionId,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let lifetime = match token_type {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
        };
        // Whole seconds, as the claim counts them, so that what is told agrees with the token.
        let exp = now.plus(lifetime).unix_seconds();
        let jti = format!("{}.{:x}", sid.0, now.0);
        let mut claims = Claims::new(Custom {
            token_type,
            jti,
            user_id,
            sid: sid.clone(),
            generation,
        });
        claims.issued_at = DateTime::from_timestamp(now.unix_seconds(), 0);
        claims.expiration = DateTime::from_timestamp(exp, 0);
        let header = Header::empty()
            .with_token_type("JWT")
            .with_key_id(&*self.current.id);
        // Claims of strings and numbers can always be written as JSON. Were it ever otherwise,
        // an empty token is one that nobody accepts.
        let token = Hs256
            .token(&header, &claims, &self.current.key)
            .unwrap_or_default();
        (token, Timestamp(exp * 1_000))
    }

    fn verify(
        &self,
        token: &str,
        kind: Kind,
        now: Timestamp,
    ) -> Result<(Custom, Timestamp), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let token = UntrustedToken::new(token).map_err(|_| TokenError::Invalid)?;
        let id = token.header().key_id.as_deref();
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| Some(key.id.as_str()) == id)
            .ok_or(TokenError::Invalid)?;
        // Refuses every algorithm but HS256, "none" among them.
        let genuine = Hs256
            .validator::<Custom>(&key.key)
            .validate(&token)
            .map_err(|_| TokenError::Invalid)?;
        let claims = genuine.claims();
        let exp = claims.expiration.ok_or(TokenError::Invalid)?;
        if claims.custom.token_type != kind {
            return Err(TokenError::Invalid);
        }
        let expires_at = Timestamp(exp.timestamp_millis());
        unexpired(expires_at, now)?;
        Ok((claims.custom.clone(), expires_at))
    }
}

/// RFC 7519 §4.1.4: "on or after which" it must not be accepted.
fn unexpired(expires_at: Timestamp, now: Timestamp) -> Result<(), TokenError> {
    if now >= expires_at {
        Err(TokenError::Expired)
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
