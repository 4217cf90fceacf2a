//! Logins: beginning, prolonging and ending them.

use std::net::IpAddr;

use futures_util::future::join;

use super::{FieldErrors, ServiceError, ServiceResult, Services};
use crate::auth::{Password, PasswordJob, PasswordOutcome, RefreshToken};
use crate::ports::{Denied, NewSession, Rotation, RotationOutcome, StoreResult};
use colloquy_proto::domain::{Caller, Credentials, SessionId, Timestamp, User};

/// The longest username the store is asked for, in bytes: 150 characters of four bytes.
const MAX_USERNAME_BYTES: usize = 600;

/// A fresh pair of tokens.
pub struct TokenPair {
    /// For `Authorization: Bearer`.
    pub access: String,
    /// For the next pair.
    pub refresh: String,
}

/// Checks a username and password and begins a login: one statement before the hash, one after.
///
/// # Errors
/// `Invalid` for missing fields; `BadCredentials`; `TooManyAttempts`; `Overloaded`.
pub async fn log_in(
    services: &Services,
    username: Option<String>,
    password: Option<String>,
    address: Option<IpAddr>,
) -> ServiceResult<(User, TokenPair)> {
    let (username, password) = given(username, password)?;
    let now = services.ports.clock.now();
    // Asked together: the attempt is counted before anything costly, and nobody waits for it.
    let (counted, found) = join(
        services.attempts.log_in(&username, address, now),
        credentials(services, &username),
    )
    .await;
    counted?;
    let verdict = match found {
        Ok(found) => verify(services, found, password).await,
        Err(error) => Err(error.into()),
    };
    if !matches!(verdict, Ok(_) | Err(ServiceError::BadCredentials)) {
        services.attempts.undecided(&username, address).await;
    }
    let (user, rehashed_password) = verdict?;
    // The hash took its time.
    let now = services.ports.clock.now();
    let id = SessionId(services.random_id().into());
    let (pair, expires_at) = issue(services, &user, &id, 0, now);
    let session = NewSession {
        id,
        user_id: user.id,
        created_at: now,
        expires_at,
        rehashed_password,
    };
    let (opened, ()) = join(
        services.ports.store.open_session(&session),
        services.attempts.logged_in(&username),
    )
    .await;
    if opened? {
        Ok((user, pair))
    } else {
        Err(ServiceError::BadCredentials)
    }
}

fn given(username: Option<String>, password: Option<String>) -> ServiceResult<(String, Password)> {
    match (username, password) {
        (Some(username), Some(password)) => {
            Ok((username.trim().to_owned(), Password::new(password)))
        }
        (username, password) => {
            let absent = [
                ("username", username.is_none()),
                ("password", password.is_none()),
            ];
            let absent = absent.into_iter().filter(|(_, absent)| *absent);
            let errors: FieldErrors = absent
                .map(|(field, _)| (field, vec!["This field is required.".to_owned()]))
                .collect();
            Err(ServiceError::Invalid(errors))
        }
    }
}

/// A text that can be nobody's username is not asked for: databases refuse U+0000.
async fn credentials(services: &Services, username: &str) -> StoreResult<Option<Credentials>> {
    if username.is_empty() || username.len() > MAX_USERNAME_BYTES || username.contains('\0') {
        return Ok(None);
    }
    services.ports.store.credentials(username).await
}

/// Takes the same time whether or not the account exists.
async fn verify(
    services: &Services,
    found: Option<Credentials>,
    password: Password,
) -> ServiceResult<(User, Option<String>)> {
    let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
    let job = PasswordJob::Verify {
        password,
        hash,
        salt: services.salt(),
    };
    match (services.ports.passwords.run(job).await, user) {
        (Some(PasswordOutcome::Matches { rehashed }), Some(user)) => Ok((user, rehashed)),
        (Some(PasswordOutcome::Failed), _) => Err(ServiceError::Fault(
            "a password could not be verified".to_owned(),
        )),
        (Some(_), _) => Err(ServiceError::BadCredentials),
        (None, _) => Err(ServiceError::Overloaded),
    }
}

fn issue(
    services: &Services,
    user: &User,
    session: &SessionId,
    generation: i64,
    now: Timestamp,
) -> (TokenPair, Timestamp) {
    let (access, _) = services.tokens.issue_access(user.id, session, now);
    let (refresh, expires_at) = services
        .tokens
        .issue_refresh(user.id, session, generation, now);
    (TokenPair { access, refresh }, expires_at)
}

/// Exchanges a refresh token for the next pair. One that was used before ends its login, on the
/// spot: either its owner or a thief has come second, and the server cannot tell which.
///
/// # Errors
/// `Token` for one that is not genuine; `Denied(Session)` when its login was ended, also by this.
pub async fn refresh(services: &Services, token: &str) -> ServiceResult<TokenPair> {
    let now = services.ports.clock.now();
    let token = services.tokens.verify_refresh(token, now)?;
    let RefreshToken {
        user_id,
        session_id,
        generation,
        ..
    } = token;
    let next = generation.saturating_add(1);
    let (access, _) = services.tokens.issue_access(user_id, &session_id, now);
    let (refresh, expires_at) = services
        .tokens
        .issue_refresh(user_id, &session_id, next, now);
    let rotation = Rotation {
        session_id,
        user_id,
        generation,
        now,
        expires_at,
    };
    match services.ports.store.rotate_session(&rotation).await? {
        RotationOutcome::Rotated => Ok(TokenPair { access, refresh }),
        RotationOutcome::Reused => {
            services
                .ports
                .rooms
                .revoke_session(&rotation.session_id)
                .await;
            tracing::warn!(
                user.id = user_id.0,
                session.id = ?rotation.session_id,
                "a refresh token was used twice, its login is ended"
            );
            Err(Denied::Session.into())
        }
        RotationOutcome::Refused => Err(Denied::Session.into()),
    }
}

/// Ends the login a refresh token belongs to, for REST and for its open sockets.
///
/// # Errors
/// `Invalid` when the token is not a genuine one of the caller's; `Denied(Session)` when the
/// login was over already.
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
    // Also when it was revoked before: that call may not have come as far as the Rooms.
    services.ports.rooms.revoke_session(&token.session_id).await;
    if revoked {
        Ok(())
    } else {
        Err(Denied::Session.into())
    }
}
