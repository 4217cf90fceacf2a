//! The selection of cases, by the environment or by the target.

use std::env;
use std::time::Duration;

use crate::corpus::unescape;

/// The cases of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The corpus, then this number of cases.
    Cases(u64),
    /// One case.
    Case(u64),
    /// One input, unchanged.
    Input(Vec<u8>),
    /// The corpus, then cases for this duration, starting at this number.
    For(Duration, u64),
}

impl Selection {
    /// The selection of the environment, or `default` cases. Panics on invalid values.
    pub(crate) fn from_env(default: u64) -> Self {
        Self::of(|name| env::var(name).ok(), default)
    }

    fn of(lookup: impl Fn(&str) -> Option<String>, default: u64) -> Self {
        let number = |name: &str| -> Option<u64> {
            let text = lookup(name)?;
            let number = text.parse().ok();
            Some(number.unwrap_or_else(|| panic!("{name} must be a number, not {text}")))
        };
        if let Some(line) = lookup("COLLOQUY_FUZZ_INPUT") {
            let input = unescape(&line);
            return Self::Input(input.unwrap_or_else(|| panic!("invalid input: {line}")));
        }
        if let Some(case) = number("COLLOQUY_FUZZ_CASE") {
            return Self::Case(case);
        }
        match number("COLLOQUY_FUZZ_SECONDS") {
            Some(seconds) => Self::For(
                Duration::from_secs(seconds),
                number("COLLOQUY_FUZZ_FROM").unwrap_or(0),
            ),
            None => Self::Cases(default),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_selects_the_cases() {
        let selection = |given: &[(&str, &str)]| {
            let find = |name: &str| given.iter().find(|(key, _)| *key == name);
            Selection::of(|name| find(name).map(|(_, value)| (*value).to_owned()), 7)
        };
        assert_eq!(selection(&[]), Selection::Cases(7));
        assert_eq!(
            selection(&[("COLLOQUY_FUZZ_CASE", "3")]),
            Selection::Case(3)
        );
        assert_eq!(
            selection(&[("COLLOQUY_FUZZ_INPUT", "\\x00")]),
            Selection::Input(vec![0])
        );
        let long = [("COLLOQUY_FUZZ_SECONDS", "60"), ("COLLOQUY_FUZZ_FROM", "9")];
        assert_eq!(selection(&long), Selection::For(Duration::from_mins(1), 9));
    }
}
