//! Accounts: registration and the caller's own profile.

use std::net::IpAddr;

use email_address::{EmailAddress, Options};

use super::{FieldErrors, ServiceError, ServiceResult, Services};
use crate::auth::{Password, PersonalData, password_problems};
use crate::config::RegistrationPolicy;
use crate::ports::CreatedUser;
use crate::unicode::{domain_to_ascii, email_key, nfc, username_key};
use colloquy_proto::domain::{
    Caller, NewUser, TextError, User, is_default_ignorable, validate_text,
};

/// The longest username, first or last name, in characters.
const MAX_NAME_CHARS: usize = 150;

/// The longest key of a username, in characters: compatibility characters become longer in a key, and
/// a key is in an index.
const MAX_KEY_CHARS: usize = MAX_NAME_CHARS;

/// The longest e-mail address (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_EMAIL_CHARS: usize = 254;

/// A registration as submitted, not yet validated.
pub struct Registration {
    /// The requested username.
    pub username: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Optional.
    pub first_name: Option<String>,
    /// Optional.
    pub last_name: Option<String>,
}

/// Creates an account.
///
/// # Errors
/// `Forbidden` when registration is closed; `Invalid` with every field that breaks a rule or is taken;
/// `TooManyAttempts`; `Overloaded`.
pub async fn register(
    services: &Services,
    policy: RegistrationPolicy,
    registration: Registration,
    address: Option<IpAddr>,
) -> ServiceResult<User> {
    if policy == RegistrationPolicy::Closed {
        return Err(ServiceError::Forbidden(
            "Registration is closed on this server.",
        ));
    }
    let (mut user, password) = validate(registration)?;
    let now = services.ports.clock.now();
    services.rate_limiter.check_registration(address).await?;
    user.password_hash = services.hash(password).await?;
    match services.ports.store.create_user(&user, now).await? {
        CreatedUser::Created(user) => Ok(user),
        CreatedUser::Taken { username, email } => {
            let mut errors = FieldErrors::new();
            if username {
                errors.insert(
                    "username",
                    vec!["A user with that username already exists.".to_owned()],
                );
            }
            if email {
                errors.insert(
                    "email",
                    vec!["A user with that email already exists.".to_owned()],
                );
            }
            Err(ServiceError::Invalid(errors))
        }
    }
}

/// The caller's own account.
///
/// # Errors
/// `Denied` when the session was revoked.
pub async fn profile(services: &Services, caller: &Caller) -> ServiceResult<User> {
    Ok(services
        .ports
        .store
        .profile(caller, services.ports.clock.now())
        .await??)
}

/// Validates every field, so that one response lists every problem. The caller fills in the
/// account's `password_hash`.
///
/// # Errors
/// `Invalid` with every field that breaks a rule.
pub fn validate(registration: Registration) -> ServiceResult<(NewUser, Password)> {
    let mut errors = FieldErrors::new();
    let username = trimmed(
        registration.username,
        "username",
        1,
        MAX_NAME_CHARS,
        &mut errors,
    );
    if let Some(problem) = username_problem(&username) {
        add(&mut errors, "username", problem);
    }
    let email = trimmed(registration.email, "email", 1, MAX_EMAIL_CHARS, &mut errors);
    if !email.is_empty() && !is_email(&email) {
        add(&mut errors, "email", "Enter a valid email address.");
    }
    let first_name = trimmed(
        registration.first_name.or(Some(String::new())),
        "first_name",
        0,
        MAX_NAME_CHARS,
        &mut errors,
    );
    let last_name = trimmed(
        registration.last_name.or(Some(String::new())),
        "last_name",
        0,
        MAX_NAME_CHARS,
        &mut errors,
    );
    // Not trimmed: white space may be part of a password.
    let password = Password::new(required(registration.password, "password", &mut errors));
    if !errors.contains_key("password") {
        let owner = PersonalData {
            username: &username,
            email: &email,
            first_name: &first_name,
            last_name: &last_name,
        };
        let problems = password_problems(password.reveal(), &owner);
        if !problems.is_empty() {
            errors.insert("password", problems);
        }
    }
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }
    let user = NewUser {
        username,
        email,
        password_hash: String::new(),
        first_name,
        last_name,
        is_admin: false,
    };
    Ok((user, password))
}

fn add(errors: &mut FieldErrors, field: &'static str, problem: impl Into<String>) {
    errors.entry(field).or_default().push(problem.into());
}

fn required(value: Option<String>, field: &'static str, errors: &mut FieldErrors) -> String {
    value.unwrap_or_else(|| {
        add(errors, field, "This field is required.");
        String::new()
    })
}

fn trimmed(
    value: Option<String>,
    field: &'static str,
    min: usize,
    max: usize,
    errors: &mut FieldErrors,
) -> String {
    let Some(value) = value else {
        return required(None, field, errors);
    };
    let value = value.trim();
    match validate_text(value, min, max) {
        Ok(()) => value.to_owned(),
        Err(problem) => {
            add(errors, field, problem.to_string());
            // An empty value raises no second problem for the same field.
            String::new()
        }
    }
}

/// What is wrong with a username. Accents typed as characters of their own are composed first. Letters
/// that show nothing, such as the Hangul fillers, would make two names look the same.
fn username_problem(username: &str) -> Option<String> {
    let is_permitted = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    let permitted = nfc(username).chars().all(is_permitted);
    if !permitted || username.contains(is_default_ignorable) {
        let problem = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";
        return Some(problem.to_owned());
    }
    let too_long = username_key(username).chars().count() > MAX_KEY_CHARS;
    too_long.then(|| TextError::TooLong { max: MAX_KEY_CHARS }.to_string())
}

/// A local part and a domain with at least one dot, both without characters that show nothing.
fn is_email(text: &str) -> bool {
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    let Ok(address) = EmailAddress::parse_with_options(text, options) else {
        return false;
    };
    !text.contains(is_default_ignorable)
        && domain_to_ascii(address.domain()).is_some()
        && email_key(text).chars().count() <= MAX_EMAIL_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(username: &str, email: &str, password: &str) -> Registration {
        Registration {
            username: Some(username.to_owned()),
            email: Some(email.to_owned()),
            password: Some(password.to_owned()),
            first_name: None,
            last_name: None,
        }
    }

    fn errors(registration: Registration) -> FieldErrors {
        match validate(registration) {
            Err(ServiceError::Invalid(errors)) => errors,
            Ok(_) => FieldErrors::new(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_invalid_field_is_reported_at_once() {
        let mut invalid = registration("no spaces", "nowhere", "1234567");
        invalid.first_name = Some("x".repeat(151));
        invalid.last_name = Some("\0".to_owned());
        let errors = errors(invalid);
        let fields: Vec<_> = errors.keys().copied().collect();
        assert_eq!(
            fields,
            ["email", "first_name", "last_name", "password", "username"]
        );
        assert_eq!(errors["password"].len(), 2, "{errors:?}");
    }

    #[test]
    fn names_that_show_nothing_are_rejected() {
        for invisible in [
            "\u{3164}",
            "\u{115f}",
            "\u{ffa0}",
            "ann\u{3164}",
            "a\u{200b}nn",
            "\u{17b4}",
        ] {
            let mut invalid = registration(invisible, "ann@example.com", "StrongPass123!");
            assert!(errors(invalid).contains_key("username"), "{invisible:?}");
            invalid = registration("ann", "ann@example.com", "StrongPass123!");
            invalid.first_name = Some(format!(" {}", invisible.replace(['a', 'n'], "")));
            invalid.last_name = Some("\u{2060}\u{e0041}".to_owned());
            let fields: Vec<_> = errors(invalid).keys().copied().collect();
            assert_eq!(fields, ["first_name", "last_name"], "{invisible:?}");
        }
        let mut emoji = registration("ann", "ann@example.com", "StrongPass123!");
        emoji.first_name = Some("❤\u{fe0f}".to_owned());
        assert!(errors(emoji).is_empty());
    }

    #[test]
    fn name_with_a_long_key_is_rejected() {
        // U+FDFA is 18 characters of a key.
        let long = "\u{fdfa}".repeat(9);
        let errors = errors(registration(&long, "ann@example.com", "StrongPass123!"));
        assert_eq!(
            errors["username"],
            ["Ensure this field has no more than 150 characters."]
        );
    }

    #[test]
    fn missing_and_blank_fields_are_rejected() {
        let empty = Registration {
            username: None,
            email: None,
            password: None,
            first_name: None,
            last_name: None,
        };
        for problems in errors(empty).values() {
            assert_eq!(*problems, ["This field is required."]);
        }
        assert_eq!(
            errors(registration(" ", "a@example.com", "StrongPass123!"))["username"],
            ["This field may not be blank."]
        );
    }

    #[test]
    fn common_forms_of_usernames_and_addresses_are_accepted() {
        for (username, email) in [
            ("johndoe", "john@example.com"),
            ("a.b+c-d_e@f", "first.last+tag@sub.example.co.uk"),
            ("Ännchen", "x@xn--exmple-cua.com"),
            ("jose\u{301}", "jörg@bücher.example"),
            ("한글", "x@münchen_1.example"),
        ] {
            assert!(
                errors(registration(username, email, "StrongPass123!")).is_empty(),
                "{username} {email}"
            );
        }
        for email in [
            "a@b",
            "a@b@c.com",
            "Ann <ann@example.com>",
            "a@[127.0.0.1]",
            "@example.com",
            "a b@example.com",
            "a@exa mple.com",
            "a@example.com\n.x",
            "a@-.com",
            "a\u{200b}@example.com",
            "a@exam\u{ad}ple.com",
            "a@xn--a.example",
            "a@℀.example",
        ] {
            assert!(
                errors(registration("ann", email, "StrongPass123!")).contains_key("email"),
                "{email:?}"
            );
        }
    }
}
