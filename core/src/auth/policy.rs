//! The rules for a new password: length, not common, not numeric, not similar to its owner's data.
//!
//! Texts are compared without regard to case, width and composition. Rules and messages are those of Django's password validators; clients show the messages.

use crate::unicode::username_key as caseless;

/// The shortest password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// The longest password, in bytes: a longer one costs time without adding security.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// Common passwords, one per line, in lower case: Django's list (Royce Williams's count of leaked
/// passwords) without those below the minimum length.
const COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// The similarity to its owner's data from which a password is rejected.
const MAX_SIMILARITY: f64 = 0.7;

/// The personal data of a password's owner.
#[derive(Debug, Clone, Copy)]
pub struct PersonalData<'a> {
    /// The username.
    pub username: &'a str,
    /// The e-mail address.
    pub email: &'a str,
    /// May be empty.
    pub first_name: &'a str,
    /// May be empty.
    pub last_name: &'a str,
}

/// Every rule the password violates, in sentences for its owner; empty when it is accepted.
pub fn password_problems(password: &str, owner: &PersonalData<'_>) -> Vec<String> {
    if password.len() > MAX_PASSWORD_BYTES {
        // The other rules are skipped: their cost grows with the length.
        return vec![format!(
            "This password is too long. It must contain at most {MAX_PASSWORD_BYTES} bytes."
        )];
    }
    let mut problems = Vec::new();
    if let Some(attribute) = similar_attribute(password, owner) {
        problems.push(format!("The password is too similar to the {attribute}."));
    }
    if password.chars().count() < MIN_PASSWORD_CHARS {
        problems.push(format!(
            "This password is too short. It must contain at least {MIN_PASSWORD_CHARS} characters."
        ));
    }
    if is_common(password) {
        problems.push("This password is too common.".to_owned());
    }
    if !password.is_empty() && password.chars().all(char::is_numeric) {
        problems.push("This password is entirely numeric.".to_owned());
    }
    problems
}

/// Whether the list contains the password, without regard to case. The scan costs a thousandth of a
/// hash.
fn is_common(password: &str) -> bool {
    let password = caseless(password);
    let password = password.trim();
    COMMON_PASSWORDS.lines().any(|common| common == password)
}

/// The display name of the first attribute the password is similar to.
fn similar_attribute(password: &str, owner: &PersonalData<'_>) -> Option<&'static str> {
    let password = caseless(password);
    let attributes = [
        ("username", owner.username),
        ("first name", owner.first_name),
        ("last name", owner.last_name),
        ("email address", owner.email),
    ];
    attributes.into_iter().find_map(|(name, value)| {
        let value = caseless(value);
        let parts = value.split(|c: char| !c.is_alphanumeric() && c != '_');
        let mut candidates = parts.chain([value.as_str()]);
        candidates
            .any(|part| similarity(&password, part) >= MAX_SIMILARITY)
            .then_some(name)
    })
}

/// Twice the characters in common over the characters of both, from 0 to 1: the upper bound that
/// Python's `difflib` calls `quick_ratio`.
fn similarity(password: &str, part: &str) -> f64 {
    let (length, part_length) = (password.chars().count(), part.chars().count());
    // A part shorter than a tenth of the password is ignored, as in Django.
    if part_length == 0 || length > 10 * part_length {
        return 0.0;
    }
    let mut left: Vec<char> = part.chars().collect();
    let common = password.chars().filter(|c| {
        let found = left.iter().position(|other| other == c);
        found.map(|at| left.swap_remove(at)).is_some()
    });
    let common = u32::try_from(common.count()).unwrap_or(u32::MAX);
    let total = u32::try_from(length + part_length).unwrap_or(u32::MAX);
    2.0 * f64::from(common) / f64::from(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: PersonalData<'_> = PersonalData {
        username: "johndoe",
        email: "j.smithson@example.com",
        first_name: "Jonathan",
        last_name: "Featherstone",
    };

    fn problems(password: &str) -> String {
        password_problems(password, &OWNER).join(" ")
    }

    #[test]
    fn passwords_accepted_by_django_are_accepted() {
        for password in [
            "StrongPass123!",
            "testpass123",
            "s3cretPassw0rd",
            "securepass123",
            "TestPass123!",
            "SecurePassword123",
            "correct horse battery staple",
            "Sup3rS3cret!",
            "complexpass456",
            "пароль-довольно-длинный",
            "strongpassword123",
            "pass1234word",
            "mypassword123!",
        ] {
            assert_eq!(problems(password), "", "{password}");
        }
    }

    #[test]
    fn common_passwords_are_rejected() {
        for password in [
            "password",
            "Password1",
            "password123",
            "p@ssw0rd",
            " PassWord ",
            "q1w2e3r4t5y6",
            "qwertyuiop",
            "aaaaaaaa",
            "abcdefgh",
            "iloveyou",
            "sunshine",
        ] {
            assert!(
                problems(password).contains("too common"),
                "{password}: {}",
                problems(password)
            );
        }
    }

    #[test]
    fn length_and_digits_are_checked() {
        assert!(problems("x7Q!z").contains("too short"));
        assert!(problems("").contains("too short"));
        assert!(problems("8349175602").contains("entirely numeric"));
        assert!(problems(&"x".repeat(257)).contains("too long"));
        assert_eq!(problems(&"é7".repeat(80)), "");
    }

    #[test]
    fn passwords_similar_to_the_owner_are_rejected() {
        for (password, attribute) in [
            ("johndoe1", "username"),
            ("JohnDoe99", "username"),
            ("jonathan7", "first name"),
            ("featherstone1", "last name"),
            ("smithson42", "email address"),
        ] {
            let text = problems(password);
            assert!(
                text.contains(&format!("too similar to the {attribute}")),
                "{password}: {text}"
            );
        }
    }
}
