//! Where settings come from: the process's environment, then the file `.env`.
//!
//! Owns the lookup of names; their meaning belongs to `colloquy_core::config`. The file is read
//! into a map, because changing the environment of a multi-threaded process is unsafe.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use colloquy_core::config::{SecretKey, Settings, SettingsError};
use thiserror::Error;

/// The file contains a line that is not `NAME=value`.
#[derive(Debug, Error)]
#[error("{file} is malformed {position}: write NAME=value, and quote a value with spaces or #")]
pub struct MalformedFile {
    file: String,
    /// Not the line itself, which may hold a secret.
    position: String,
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
        let entries =
            dotenvy::from_path_iter(path).with_context(|| format!("{name} cannot be read"))?;
        let mut file = HashMap::new();
        let mut position = "in its first line".to_owned();
        for entry in entries {
            match entry {
                Ok((name, value)) => {
                    position = format!("after the line of {name}");
                    file.insert(name, value);
                }
                Err(dotenvy::Error::LineParse(..)) => {
                    let file = name.to_string();
                    return Err(MalformedFile { file, position }.into());
                }
                Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
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

    /// All settings.
    ///
    /// # Errors
    /// Lists every missing or malformed setting.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::read(|name| self.lookup(name))
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
}
