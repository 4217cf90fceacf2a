//! Access and refresh tokens: JWT (RFC 7519), HS256, with the key named by `kid`.
//!
//! A token carries user, session and expiry. Whether the session is active is not in the token: the
//! statement that does the work checks it in the database.

use std::fmt::Write as _;

use chrono::DateTime;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header, UntrustedToken};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::verified_tokens::VerifiedTokens;
use crate::config::Secret;
use colloquy_proto::domain::{Caller, Seconds, SessionId, Timestamp, UserId};

/// Longer texts are rejected without parsing; issued tokens have about 300 characters.
const MAX_TOKEN_BYTES: usize = 2_048;

/// Why a token was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Forged, malformed, signed with an unknown key, of the wrong kind, not valid yet, or with a
    /// critical extension.
    #[error("Token is invalid.")]
    Invalid,
    /// Valid, but past its expiry.
    #[error("Token is expired.")]
    Expired,
}

/// The content of a verified refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The account.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The rotation of the session it belongs to, from 0.
    pub generation: i64,
    /// Its expiry.
    pub expires_at: Timestamp,
}

/// The claim names are those of `djangorestframework-simplejwt`, whose tokens clients may decode.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CustomClaims {
    token_type: TokenType,
    /// The session and the time of issue, so that a repeated refresh issues the same tokens again. The
    /// two tokens of a pair share it.
    jti: String,
    user_id: UserId,
    /// The session.
    sid: SessionId,
    /// The rotation; only in refresh tokens.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
}

/// The header parameters that change how a token is processed.
#[derive(Clone, Deserialize)]
struct ProcessingHeader {
    /// Whether the header has a `crit` parameter, with any value.
    #[serde(rename = "crit", default, deserialize_with = "is_present")]
    has_critical_extensions: bool,
}

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TokenType {
    Access,
    Refresh,
}

struct SigningKey {
    id: String,
    key: Hs256Key,
}

impl SigningKey {
    fn new(secret: &Secret) -> Self {
        let mut id = String::new();
        for byte in derive(secret, "key id").iter().take(4) {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        Self {
            id,
            key: Hs256Key::new(secret.reveal()),
        }
    }
}

/// Derives a value from a secret. It reveals neither the secret nor other derived values.
fn derive(secret: &Secret, purpose: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(secret.reveal());
    hash.finalize().into()
}

/// Issues and verifies tokens. Times are arguments. There is no leeway, since issuer and verifier
/// share one clock.
pub struct Tokens {
    current: SigningKey,
    previous: Vec<SigningKey>,
    pepper: [u8; 32],
    access: Seconds,
    refresh: Seconds,
    verified: VerifiedTokens,
}

impl Tokens {
    /// Signs with `secret`; verifies with it and with the `previous` ones, so that a key
    /// can be rotated without ending every session.
    pub fn new(secret: &Secret, previous: &[Secret], access: Seconds, refresh: Seconds) -> Self {
        Self {
            current: SigningKey::new(secret),
            previous: previous.iter().map(SigningKey::new).collect(),
            pepper: derive(secret, "pepper"),
            access,
            refresh,
            verified: VerifiedTokens::default(),
        }
    }

    /// A secret derived from the signing key, for hashes that must not be reversible by guessing.
    pub(crate) const fn pepper(&self) -> [u8; 32] {
        self.pepper
    }

    /// When a refresh token issued now expires.
    pub const fn refresh_expiry(&self, now: Timestamp) -> Timestamp {
        expiry(self.refresh, now)
    }

    /// A new access token and its expiry.
    pub fn issue_access(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        now: Timestamp,
    ) -> (String, Timestamp) {
        self.issue(TokenType::Access, user_id, session_id, None, now)
    }

    /// A new refresh token of this generation and its expiry.
    pub fn issue_refresh(
        &self,
        user_id: UserId,
        session_id: &SessionId,
        generation: i64,
        now: Timestamp,
    ) -> (String, Timestamp) {
        self.issue(
            TokenType::Refresh,
            user_id,
            session_id,
            Some(generation),
            now,
        )
    }

    /// The caller of an access token.
    ///
    /// # Errors
    /// [`TokenError`]; `Expired` only for a token with a valid signature.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
        let (claims, expires_at) = self.verify(token, TokenType::Access, now)?;
        Ok(Caller {
            user_id: claims.user_id,
            session_id: claims.sid,
            expires_at,
        })
    }

    /// [`Self::verify_access`], memoized.
    ///
    /// # Errors
    /// Those of [`Self::verify_access`].
    pub fn verify_access_memoized(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Caller, TokenError> {
        let digest = VerifiedTokens::digest(token);
        if let Some(caller) = self.verified.get(&digest) {
            return check_expiry(caller.expires_at, now).map(|()| caller);
        }
        let caller = self.verify_access(token, now)?;
        self.verified.insert(digest, caller.clone());
        Ok(caller)
    }

    /// The content of a refresh token.
    ///
    /// # Errors
    /// [`TokenError`]; `Expired` only for a token with a valid signature.
    pub fn verify_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshToken, TokenError> {
        let (claims, expires_at) = self.verify(token, TokenType::Refresh, now)?;
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
        token_type: TokenType,
        user_id: UserId,
        sid: &SessionId,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let lifetime = match token_type {
            TokenType::Access => self.access,
            TokenType::Refresh => self.refresh,
        };
        let expires_at = expiry(lifetime, now);
        let jti = format!("{}.{:x}", sid.0, now.0);
        let mut claims = Claims::new(CustomClaims {
            token_type,
            jti,
            user_id,
            sid: sid.clone(),
            generation,
        });
        claims.issued_at = DateTime::from_timestamp(now.unix_seconds(), 0);
        claims.expiration = DateTime::from_timestamp(expires_at.unix_seconds(), 0);
        let header = Header::empty()
            .with_token_type("JWT")
            .with_key_id(&*self.current.id);
        // Serializing claims of strings and numbers cannot fail; an empty token would be rejected.
        let token = Hs256
            .token(&header, &claims, &self.current.key)
            .unwrap_or_default();
        (token, expires_at)
    }

    fn verify(
        &self,
        token: &str,
        token_type: TokenType,
        now: Timestamp,
    ) -> Result<(CustomClaims, Timestamp), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let token =
            UntrustedToken::<ProcessingHeader>::try_from(token).map_err(|_| TokenError::Invalid)?;
        // No extension is supported, so a token that requires one is rejected (RFC 7515 §4.1.11).
        if token.header().other_fields.has_critical_extensions {
            return Err(TokenError::Invalid);
        }
        let id = token.header().key_id.as_deref();
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| Some(key.id.as_str()) == id)
            .ok_or(TokenError::Invalid)?;
        // Rejects every algorithm but HS256, including "none".
        let verified = Hs256
            .validator::<CustomClaims>(&key.key)
            .validate(&token)
            .map_err(|_| TokenError::Invalid)?;
        let claims = verified.claims();
        let exp = claims.expiration.ok_or(TokenError::Invalid)?;
        if claims.custom.token_type != token_type {
            return Err(TokenError::Invalid);
        }
        // RFC 7519 §4.1.5: "before which" it must not be accepted.
        if claims
            .not_before
            .is_some_and(|not_before| now < Timestamp(not_before.timestamp_millis()))
        {
            return Err(TokenError::Invalid);
        }
        let expires_at = Timestamp(exp.timestamp_millis());
        check_expiry(expires_at, now)?;
        Ok((claims.custom.clone(), expires_at))
    }
}

/// When a token with this lifetime expires: in whole seconds, as in the claim.
const fn expiry(lifetime: Seconds, now: Timestamp) -> Timestamp {
    Timestamp(Seconds(now.plus(lifetime).unix_seconds()).as_millis())
}

/// RFC 7519 §4.1.4: "on or after which" it must not be accepted.
fn check_expiry(expires_at: Timestamp, now: Timestamp) -> Result<(), TokenError> {
    if now >= expires_at {
        Err(TokenError::Expired)
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
