//! Which cases are tried: said by the environment, and else by the target.

use std::env;
use std::time::Duration;

use crate::corpus::unescape;

/// What a run tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The corpus, then so many cases.
    Cases(u64),
    /// One case.
    Case(u64),
    /// One input, as it is.
    Input(Vec<u8>),
    /// The corpus, then cases from this one on for so long.
    For(Duration, u64),
}

impl Plan {
    /// The environment's, or `usual` cases. Panics on values that cannot be meant.
    pub(crate) fn read(usual: u64) -> Self {
        Self::of(|name| env::var(name).ok(), usual)
    }

    fn of(lookup: impl Fn(&str) -> Option<String>, usual: u64) -> Self {
        let number = |name: &str| -> Option<u64> {
            let text = lookup(name)?;
            let number = text.parse().ok();
            Some(number.unwrap_or_else(|| panic!("{name} is a number, not {text}")))
        };
        if let Some(line) = lookup("COLLOQUY_FUZZ_INPUT") {
            let input = unescape(&line);
            return Self::Input(input.unwrap_or_else(|| panic!("no input: {line}")));
        }
        if let Some(case) = number("COLLOQUY_FUZZ_CASE") {
            return Self::Case(case);
        }
        match number("COLLOQUY_FUZZ_SECONDS") {
            Some(seconds) => Self::For(
                Duration::from_secs(seconds),
                number("COLLOQUY_FUZZ_FROM").unwrap_or(0),
            ),
            None => Self::Cases(usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_what_is_tried() {
        let plan = |given: &[(&str, &str)]| {
            let find = |name: &str| given.iter().find(|(known, _)| *known == name);
            Plan::of(|name| find(name).map(|(_, value)| (*value).to_owned()), 7)
        };
        assert_eq!(plan(&[]), Plan::Cases(7));
        assert_eq!(plan(&[("COLLOQUY_FUZZ_CASE", "3")]), Plan::Case(3));
        assert_eq!(
            plan(&[("COLLOQUY_FUZZ_INPUT", "\\x00")]),
            Plan::Input(vec![0])
        );
        let long = [("COLLOQUY_FUZZ_SECONDS", "60"), ("COLLOQUY_FUZZ_FROM", "9")];
        assert_eq!(plan(&long), Plan::For(Duration::from_mins(1), 9));
    }
}
