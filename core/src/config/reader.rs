//! Reads and validates values, and collects every problem.
//!
//! Owns what applies to every setting: absent and blank values, numbers, flags, lists. A value is
//! normalised to one that works, or rejected with what to write instead. The settings of one subject
//! are in the file of that subject beside this one.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use colloquy_proto::domain::Seconds;

use super::{RegistrationPolicy, Settings, SettingsError, ShowEmails};

/// The settings whose values may begin and end with a quotation mark.
const QUOTES_ALLOWED: [&str; 1] = ["POSTGRES_PASSWORD"];

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    /// Settings with a value of no usable form. They are reported once and not read further.
    malformed: BTreeSet<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            malformed: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn finish(self, settings: Settings) -> Result<Settings, SettingsError> {
        if self.problems.is_empty() {
            let warnings = self.warnings;
            Ok(Settings {
                warnings,
                ..settings
            })
        } else {
            Err(SettingsError {
                problems: self.problems,
            })
        }
    }

    pub(super) fn problem(&mut self, name: &str, what: impl Display) {
        if !self.malformed.contains(name) {
            self.problems.push(format!("{name} {what}"));
        }
    }

    /// A value that is usable but probably not what the operator means.
    pub(super) fn warning(&mut self, name: &str, what: impl Display) {
        self.warnings.push(format!("{name} {what}"));
    }

    /// Whether the setting has a value, which may be blank.
    pub(super) fn is_set(&self, name: &str) -> bool {
        (self.lookup)(name).is_some()
    }

    /// The value without a line break at its end, unless it is blank.
    pub(super) fn given(&mut self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        // A file with a secret often ends with a line break.
        let value = value.trim_end_matches(['\r', '\n']);
        if value.trim().is_empty() || self.malformed.contains(name) {
            return None;
        }
        let Some(problem) = malformed(name, value) else {
            return Some(value.to_owned());
        };
        self.problem(name, problem);
        self.malformed.insert(name.to_owned());
        None
    }

    /// The trimmed value, or the default of the table.
    pub(super) fn text(&mut self, name: &str) -> String {
        let default = || {
            Settings::TABLE
                .iter()
                .find(|row| row.name == name)
                .map(|row| row.default)
        };
        let value = self.given(name);
        value
            .as_deref()
            .or_else(default)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// An integer within limits.
    pub(super) fn number<T>(&mut self, name: &str, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let text = self.text(name);
        match text.parse() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.problem(
                    name,
                    format_args!("is {text:?}; give a whole number from {min} to {max}"),
                );
                min
            }
        }
    }

    /// A decimal number of seconds, up to an hour.
    pub(super) fn millis(&mut self, name: &str) -> i64 {
        let text = self.text(name);
        match text.parse::<f64>() {
            // Below a millisecond it would be rounded to "no throttle".
            Ok(seconds) if seconds == 0.0 || (0.001..=3_600.0).contains(&seconds) => {
                #[expect(clippy::cast_possible_truncation, reason = "at most 3,600,000")]
                let millis = (seconds * 1_000.0).round() as i64;
                millis
            }
            _ => {
                self.problem(
                    name,
                    format_args!("is {text:?}; give seconds from 0.001 to 3600, such as 0.5, or 0"),
                );
                0
            }
        }
    }

    /// A boolean.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let text = self.text(name).to_ascii_lowercase();
        match text.as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.problem(name, format_args!("is {text:?}; give true or false"));
                false
            }
        }
    }

    /// The items of a comma separated list, without empty ones.
    pub(super) fn items(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn show_emails(&mut self) -> ShowEmails {
        let text = self.text("SHOW_EMAILS").to_ascii_lowercase();
        match text.as_str() {
            "members" => ShowEmails::Members,
            "self" => ShowEmails::Own,
            _ => {
                self.problem(
                    "SHOW_EMAILS",
                    format_args!("is {text:?}; give members or self"),
                );
                ShowEmails::Own
            }
        }
    }

    pub(super) fn registration(&mut self) -> RegistrationPolicy {
        let text = self.text("REGISTRATION").to_ascii_lowercase();
        match text.as_str() {
            "open" => RegistrationPolicy::Open,
            "closed" => RegistrationPolicy::Closed,
            _ => {
                self.problem(
                    "REGISTRATION",
                    format_args!("is {text:?}; give open or closed"),
                );
                RegistrationPolicy::Closed
            }
        }
    }

    /// `ACCESS_TOKEN_SECONDS` and `REFRESH_TOKEN_SECONDS`. An access token must not outlive the
    /// session that the refresh token keeps open.
    pub(super) fn lifetimes(&mut self) -> (Seconds, Seconds) {
        const ACCESS: &str = "ACCESS_TOKEN_SECONDS";
        const REFRESH: &str = "REFRESH_TOKEN_SECONDS";
        let problems = self.problems.len();
        let access: i64 = self.number(ACCESS, 10, 86_400);
        let refresh: i64 = self.number(REFRESH, 10, 366 * 86_400);
        if access > refresh && self.problems.len() == problems {
            self.problem(
                ACCESS,
                format_args!("is {access}; give at most {REFRESH}, which is {refresh}"),
            );
        }
        (Seconds(access), Seconds(refresh))
    }

    /// A path of the file system.
    pub(super) fn path(&mut self, name: &str) -> PathBuf {
        let text = self.text(name);
        if let Some(problem) = unexpanded(&text) {
            self.problem(name, problem);
        }
        PathBuf::from(text)
    }
}

/// Why a value has no usable form, whatever it means. The message does not repeat the value, which
/// may be a secret.
fn malformed(name: &str, value: &str) -> Option<&'static str> {
    let trimmed = value.trim();
    let quoted = ['"', '\'']
        .iter()
        .any(|quote| trimmed.len() > 1 && trimmed.starts_with(*quote) && trimmed.ends_with(*quote));
    if quoted && !QUOTES_ALLOWED.contains(&name) {
        // `docker run --env-file` does not remove quotation marks.
        return Some("is in quotation marks, which are part of the value; write it without them");
    }
    if value.contains('\u{fffd}') {
        return Some("is not UTF-8; write it in UTF-8");
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Some(
            "contains a line break or another control character; write it in one line without them",
        );
    }
    None
}

/// Why a path does not name what it seems to name: no shell expands it.
pub(super) fn unexpanded(path: &str) -> Option<&'static str> {
    if path.starts_with('~') {
        return Some("starts with ~, which is not expanded; write the path in full");
    }
    let variable = path.split('$').skip(1).any(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{' || c == '(')
    });
    variable.then_some("contains a variable, which is not expanded; write the path in full")
}
