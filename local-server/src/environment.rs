//! Where settings come from: the process's environment, then the file `.env`.
//!
//! Owns the lookup of names; their meaning belongs to `colloquy_core::config`. The file is read
//! into a map, because changing the environment of a multi-threaded process is unsafe.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use colloquy_core::config::{SecretKey, Settings, SettingsError, similar_setting};
use thiserror::Error;

/// The beginnings of names in a `.env` that are meant for docker compose, which reads the same file.
const COMPOSE_NAMES: [&str; 2] = ["COMPOSE_", "DOCKER_"];

/// The file contains a line that cannot be used. No variant holds the line itself, which may hold a
/// secret.
#[derive(Debug, Error)]
pub enum MalformedFile {
    /// A line is not `NAME=value`.
    #[error("{file} is malformed {position}: write NAME=value, and quote a value with spaces or #")]
    Line {
        /// The file's name.
        file: String,
        /// Where the line is.
        position: String,
    },
    /// A value would be changed without notice: a reader of such files, also docker compose,
    /// replaces `$name` by a variable, and by nothing without one.
    #[error(
        "{file} has a $ in line {line}, which starts a variable: put the whole value in single quotes, or write \\$"
    )]
    Variable {
        /// The file's name.
        file: String,
        /// The number of the line, from 1.
        line: usize,
    },
}

/// The environment, with a file as fallback.
#[derive(Debug, Default)]
pub struct Environment {
    file: HashMap<String, String>,
}

impl Environment {
    /// Reads the file, which need not exist.
    pub fn with_file(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let name = path.display();
        let unreadable = || format!("{name} cannot be read");
        let text = std::fs::read_to_string(path).with_context(unreadable)?;
        // Some editors write a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if let Some(line) = first_variable(text) {
            let file = name.to_string();
            return Err(MalformedFile::Variable { file, line }.into());
        }
        let mut file = HashMap::new();
        let mut position = "in its first line".to_owned();
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            match entry {
                Ok((name, value)) => {
                    position = format!("after the line of {name}");
                    file.insert(name, value);
                }
                Err(dotenvy::Error::LineParse(..)) => {
                    let file = name.to_string();
                    return Err(MalformedFile::Line { file, position }.into());
                }
                Err(error) => return Err(error).with_context(unreadable),
            }
        }
        Ok(Self { file })
    }

    /// The value of a name. A variable that is set wins over the file, even if it is empty.
    pub fn lookup(&self, name: &str) -> Option<String> {
        match std::env::var_os(name) {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => self.file.get(name).cloned(),
        }
    }

    /// All settings, with a warning for each name that seems to be a misspelled setting.
    ///
    /// # Errors
    /// Lists every missing or malformed setting.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let mut settings = Settings::read(|name| self.lookup(name))?;
        let process = std::env::vars_os().map(|(name, _)| name);
        settings.warnings.extend(self.unknown_names(process));
        Ok(settings)
    }

    /// A sentence for each unknown name: in the file for all of them, in the environment for those
    /// that resemble a setting.
    fn unknown_names(&self, process: impl Iterator<Item = OsString>) -> Vec<String> {
        let in_file = self.file.keys().filter(|name| {
            let known = Settings::TABLE.iter().any(|row| row.name == name.as_str());
            let compose = COMPOSE_NAMES.iter().any(|start| name.starts_with(start));
            !known && !compose
        });
        let mut warnings: Vec<String> = in_file
            .map(|name| match similar_setting(name) {
                Some(meant) => format!("{name} in .env is no setting; {meant} is"),
                None => format!("{name} in .env is no setting and has no effect"),
            })
            .collect();
        warnings.extend(process.filter_map(|name| {
            let name = name.to_str()?;
            let meant = similar_setting(name)?;
            Some(format!("{name} is no setting; {meant} is"))
        }));
        warnings.sort();
        warnings
    }

    /// All settings, for commands that sign no token or may generate the key: without a
    /// `SECRET_KEY` it is the one in `DATA_DIR`, also with PostgreSQL.
    ///
    /// # Errors
    /// Lists every missing or malformed setting.
    pub fn settings_without_key(&self) -> Result<Settings, SettingsError> {
        const KEY: &str = "SECRET_KEY";
        if self.lookup(KEY).is_some_and(|key| !key.trim().is_empty()) {
            return self.settings();
        }
        let placeholder = || Some("0".repeat(64));
        let settings = Settings::read(|name| {
            if name == KEY {
                placeholder()
            } else {
                self.lookup(name)
            }
        })?;
        let secret_key = SecretKey::CreateBeside(settings.data_dir.join("secret.key"));
        Ok(Settings {
            secret_key,
            ..settings
        })
    }

    /// `HOST` and `PORT` only, for a client of the server.
    ///
    /// # Errors
    /// The port is not a number.
    pub fn address(&self) -> Result<(String, u16), SettingsError> {
        let only = |name: &str| {
            matches!(name, "HOST" | "PORT")
                .then(|| self.lookup(name))
                .flatten()
        };
        Settings::read(only).map(|settings| (settings.host, settings.port))
    }
}

/// The number of the first line with a `$` that starts a variable: outside of single quotes and
/// comments, and without a backslash before it.
fn first_variable(text: &str) -> Option<usize> {
    let (mut quote, mut escaped, mut comment, mut blank) = (None, false, false, true);
    let mut line = 1;
    for c in text.chars() {
        match (quote, c) {
            (None, '\n') => comment = false,
            _ if comment => {}
            (Some('\''), '\'') => quote = None,
            (Some('\''), _) => {}
            _ if escaped => {}
            (_, '$') => return Some(line),
            (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if blank => comment = true,
            _ => {}
        }
        escaped = c == '\\' && !escaped && !comment && quote != Some('\'');
        blank = c.is_whitespace();
        line += usize::from(c == '\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn environment_wins_over_the_file() {
        let file = file("# comment\nPATH=nowhere\nCOLLOQUY_TEST='two words' # why\nEMPTY=\n");
        let environment = Environment::with_file(file.path()).unwrap();
        assert_ne!(environment.lookup("PATH").as_deref(), Some("nowhere"));
        assert_eq!(
            environment.lookup("COLLOQUY_TEST").as_deref(),
            Some("two words")
        );
        assert_eq!(environment.lookup("EMPTY").as_deref(), Some(""));
        assert_eq!(environment.lookup("COLLOQUY_ABSENT"), None);
    }

    #[test]
    fn missing_file_is_allowed_and_malformed_file_is_reported_without_secrets() {
        assert!(Environment::with_file(Path::new("/nonexistent/.env")).is_ok());
        let file = file("HOST=::1\nSECRET_KEY=two words\n");
        let error = format!("{:#}", Environment::with_file(file.path()).unwrap_err());
        assert!(
            error.contains("after the line of HOST") && !error.contains("two words"),
            "{error}"
        );
    }

    #[test]
    fn dollar_signs_are_read_as_they_are_or_rejected() {
        let kept = file("A='p$ss$$w{o}rd'\nB=\"5\\$\" # costs $5\n# C=$D\nE=5\\$\n");
        let environment = Environment::with_file(kept.path()).unwrap();
        for (name, value) in [("A", "p$ss$$w{o}rd"), ("B", "5$"), ("E", "5$")] {
            assert_eq!(environment.lookup(name).as_deref(), Some(value));
        }
        for cut in ["A=1\nB=pa$word\n", "\nB=\"${HOME}\"\n", "#\nB='a'$b\n"] {
            let error = Environment::with_file(file(cut).path()).unwrap_err();
            assert!(error.is::<MalformedFile>());
            let error = error.to_string();
            assert!(
                error.contains("in line 2,") && error.contains("single quotes"),
                "{error}"
            );
        }
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        let environment = Environment::with_file(file("\u{feff}A=1\r\nB=2\r\n").path()).unwrap();
        assert_eq!(environment.lookup("A").as_deref(), Some("1"));
        assert_eq!(environment.lookup("B").as_deref(), Some("2"));
    }

    #[test]
    fn names_that_are_no_settings_are_reported() {
        let file = file("ALLOWED_HOST=a\nCOMPOSE_PROJECT_NAME=b\nPORT=1\nREDIS_URL=c\n");
        let environment = Environment::with_file(file.path()).unwrap();
        let process = ["SECERT_KEY", "PATH", "PORT", "OTHER"].map(OsString::from);
        assert_eq!(
            environment.unknown_names(process.into_iter()),
            [
                "ALLOWED_HOST in .env is no setting; ALLOWED_HOSTS is",
                "REDIS_URL in .env is no setting and has no effect",
                "SECERT_KEY is no setting; SECRET_KEY is",
            ]
        );
    }
}
