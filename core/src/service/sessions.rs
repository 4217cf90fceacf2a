//! Sessions: login, refresh and logout.

use std::net::IpAddr;

use futures_util::future::join;

use super::budgets::Budget;
use super::security_events::SecurityEvent;
use super::{FieldErrors, ServiceError, ServiceResult, Services};
use crate::auth::{Password, PasswordJob, PasswordOutcome, RefreshToken, TokenError};
use crate::ports::{Denied, HashPriority, NewSession, Rotation, RotationOutcome, StoreResult};
use colloquy_proto::domain::{Caller, Credentials, Seconds, SessionId, Timestamp, User, UserId};

/// The longest username looked up in the store, in bytes: 150 characters of four bytes.
const MAX_USERNAME_BYTES: usize = 600;

/// How long a refresh may be repeated: the response may have been lost, or two tabs refresh at once.
const REFRESH_GRACE: Seconds = Seconds(60);

/// How long a device is known after an account was used from it.
const DEVICE_MEMORY: Seconds = Seconds(30 * 86_400);

/// A new pair of tokens.
pub struct TokenPair {
    /// For `Authorization: Bearer`.
    pub access: String,
    /// For the next refresh.
    pub refresh: String,
}

/// Verifies username and password and opens a session. Attempts that fail are security events.
///
/// # Errors
/// `Invalid` for missing fields; `BadCredentials`; `TooManyAttempts`; `Overloaded`.
pub async fn log_in(
    services: &Services,
    username: Option<String>,
    password: Option<String>,
    address: Option<IpAddr>,
) -> ServiceResult<(User, TokenPair)> {
    let mut account = None;
    let result = verify_and_open(services, username, password, address, &mut account).await;
    match &result {
        Err(ServiceError::BadCredentials) => SecurityEvent::LoginFailed.report(account, address),
        Err(ServiceError::TooManyAttempts { .. }) => {
            SecurityEvent::LoginRefused.report(account, address);
        }
        _ => {}
    }
    result
}

/// One statement before the hash, one after. Sets `account` to the one with that username.
async fn verify_and_open(
    services: &Services,
    username: Option<String>,
    password: Option<String>,
    address: Option<IpAddr>,
    account: &mut Option<UserId>,
) -> ServiceResult<(User, TokenPair)> {
    let (username, password) = required(username, password)?;
    let limiter = &services.rate_limiter;
    let attempt = limiter.login_attempt(&username, address);
    // Concurrent: the attempt is counted before the costly hash, without a round trip of its own.
    let (counted, found) = join(
        limiter.count_login(&attempt),
        credentials(services, &username),
    )
    .await;
    *account = found
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .map(|found| found.user.id);
    let counted = counted?;
    let verified = match found {
        Ok(found) => {
            let priority = priority(services, found.as_ref(), address);
            if priority == HashPriority::Unknown {
                let now = services.ports.clock.now();
                services.login_delays.admit(&attempt, &counted, now).await?;
            }
            verify(services, found, password, priority).await
        }
        Err(error) => Err(error.into()),
    };
    if !matches!(verified, Ok(_) | Err(ServiceError::BadCredentials)) {
        limiter.refund_login(&attempt, &counted).await;
    }
    let (user, rehashed_password) = verified?;
    // The hash took a noticeable time.
    let now = services.ports.clock.now();
    let id = SessionId(services.random_id().into());
    let pair = issue(services, user.id, &id, 0, now);
    let session = NewSession {
        id,
        user_id: user.id,
        created_at: now,
        expires_at: services.tokens.refresh_expiry(now),
        rehashed_password,
        device: services.rate_limiter.device(user.id, address),
    };
    let (opened, ()) = join(
        services.ports.store.open_session(&session),
        limiter.settle_login(&attempt, &counted),
    )
    .await;
    if opened? {
        Ok((user, pair))
    } else {
        Err(ServiceError::BadCredentials)
    }
}

fn required(
    username: Option<String>,
    password: Option<String>,
) -> ServiceResult<(String, Password)> {
    match (username, password) {
        (Some(username), Some(password)) => {
            Ok((username.trim().to_owned(), Password::new(password)))
        }
        (username, password) => {
            let fields = [
                ("username", username.is_none()),
                ("password", password.is_none()),
            ];
            let absent = fields.into_iter().filter(|(_, absent)| *absent);
            let errors: FieldErrors = absent
                .map(|(field, _)| (field, vec!["This field is required.".to_owned()]))
                .collect();
            Err(ServiceError::Invalid(errors))
        }
    }
}

/// Skips the lookup of a text that cannot be a username; databases reject U+0000.
async fn credentials(services: &Services, username: &str) -> StoreResult<Option<Credentials>> {
    if username.is_empty() || username.len() > MAX_USERNAME_BYTES || username.contains('\0') {
        return Ok(None);
    }
    services.ports.store.credentials(username).await
}

/// Whether the client logs in to the account from an address where it was used recently.
fn priority(
    services: &Services,
    found: Option<&Credentials>,
    address: Option<IpAddr>,
) -> HashPriority {
    let now = services.ports.clock.now();
    let device = found.and_then(|found| {
        let device = services.rate_limiter.device(found.user.id, address)?;
        found.devices.iter().find(|known| known.key == device)
    });
    match device {
        Some(device) if now < device.used_at.plus(DEVICE_MEMORY) => HashPriority::Known,
        _ => HashPriority::Unknown,
    }
}

/// Takes the same time whether or not the account exists.
async fn verify(
    services: &Services,
    found: Option<Credentials>,
    password: Password,
    priority: HashPriority,
) -> ServiceResult<(User, Option<String>)> {
    let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
    let job = PasswordJob::Verify {
        password,
        hash,
        salt: services.salt(),
    };
    match (services.ports.passwords.run(job, priority).await, user) {
        (Some(PasswordOutcome::Matches { rehashed }), Some(user)) => Ok((user, rehashed)),
        (Some(PasswordOutcome::Failed), _) => Err(ServiceError::Internal(
            "a password could not be verified".to_owned(),
        )),
        (Some(_), _) => Err(ServiceError::BadCredentials),
        (None, _) => Err(ServiceError::Overloaded),
    }
}

fn issue(
    services: &Services,
    user_id: UserId,
    session_id: &SessionId,
    generation: i64,
    at: Timestamp,
) -> TokenPair {
    let tokens = &services.tokens;
    let (access, _) = tokens.issue_access(user_id, session_id, at);
    let (refresh, _) = tokens.issue_refresh(user_id, session_id, generation, at);
    TokenPair { access, refresh }
}

/// Exchanges a refresh token for the next pair. A token presented again within `REFRESH_GRACE`
/// returns the same pair, as long as that pair's refresh token is unused. Any other token that was
/// used before revokes its session: it was stolen, and the server cannot distinguish the owner from
/// the thief (RFC 9700 §4.14.2).
///
/// # Errors
/// `Token` for an invalid or expired one; `Denied(Session)` when its session was revoked, also by
/// this call; `OverBudget`.
pub async fn refresh(
    services: &Services,
    token: &str,
    address: Option<IpAddr>,
) -> ServiceResult<TokenPair> {
    let now = services.ports.clock.now();
    let repeatable_since = now.plus(Seconds(-REFRESH_GRACE.0));
    // A token that expired within the grace may be a repeat. An unused one has the expiry of its
    // session, so the store refuses it.
    let token = services.tokens.verify_refresh(token, repeatable_since)?;
    services.charge(Budget::Refreshes, token.user_id).await?;
    let RefreshToken {
        user_id,
        session_id,
        generation,
        expires_at,
    } = token;
    let rotation = Rotation {
        session_id,
        user_id,
        generation,
        now,
        expires_at: services.tokens.refresh_expiry(now),
        repeatable_since,
        device: services.rate_limiter.device(user_id, address),
    };
    match services.ports.store.rotate_session(&rotation).await? {
        RotationOutcome::Rotated { at } => {
            let next = generation.saturating_add(1);
            Ok(issue(services, user_id, &rotation.session_id, next, at))
        }
        RotationOutcome::Reused => {
            services
                .ports
                .rooms
                .revoke_session(&rotation.session_id)
                .await;
            SecurityEvent::RefreshReused.report(Some(user_id), address);
            Err(Denied::Session.into())
        }
        RotationOutcome::Refused if expires_at <= now => Err(TokenError::Expired.into()),
        RotationOutcome::Refused => Err(Denied::Session.into()),
    }
}

/// Revokes the session a refresh token belongs to, for REST and for its open sockets.
///
/// # Errors
/// `Invalid` when the token is not a valid one of the caller's; `Denied(Session)` when the session
/// was revoked before.
pub async fn log_out(services: &Services, caller: &Caller, token: &str) -> ServiceResult<()> {
    let now = services.ports.clock.now();
    let token = services
        .tokens
        .verify_refresh(token, now)
        .map_err(|error| ServiceError::field("refresh", error.to_string()))?;
    if token.user_id != caller.user_id {
        return Err(ServiceError::field("refresh", "Token is invalid."));
    }
    let revoked = services
        .ports
        .store
        .revoke_session(caller.user_id, &token.session_id, now)
        .await?;
    // Also when it was revoked before: the earlier call may have failed before it reached the Rooms.
    services.ports.rooms.revoke_session(&token.session_id).await;
    if revoked {
        Ok(())
    } else {
        Err(Denied::Session.into())
    }
}
