//! Finds the setting that a misspelled name probably means.

use super::Settings;

/// Names up to this length are compared more strictly: many other variables are close to `PORT`.
const SHORT_NAME: usize = 8;

/// The setting with a name close to this one; `None` for the name of a setting.
pub fn similar_setting(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let mut names = Settings::TABLE.iter().map(|row| row.name);
    if names.clone().any(|known| known == name) {
        return None;
    }
    names.find(|known| {
        let most = match known.len() {
            // The same name in another case.
            ..=4 => 0,
            5..=SHORT_NAME => 1,
            _ => 2,
        };
        strsim::damerau_levenshtein(&upper, known) <= most
    })
}
