//! Logs: one line per event, to standard output and to a file: requests to `api.log`, everything else
//! to `server.log`.
//!
//! Owns the format of a line (`line`), the files (`files`), their rotation (`rotation`), and the
//! writer thread, so that logging never blocks the caller (`writer`). It knows nothing about the
//! content: the request id is a field of the surrounding span.
//!
//! Callers must not log secrets. Redaction of common secret names is a second line of defence.

mod console;
mod files;
mod layer;
mod line;
mod line_buffer;
mod rotation;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use colloquy_core::config::{LogFormat, Settings, SettingsError};
use colloquy_core::ports::Clock;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;

pub use writer::{Guard, Reopener};

use console::Console;
use files::{LogFile, Rotation};
use layer::LineLayer;
use writer::Sinks;

/// Events with this target are requests; they go to `api.log`.
pub const API_TARGET: &str = "colloquy::api";

/// The name of the file with everything but requests.
const SERVER_FILE: &str = "server.log";

/// Destination and format of log lines.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Which events are logged: the level of all, then a level for some targets.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
    /// The folder of the log files; `None` writes no files.
    pub folder: Option<PathBuf>,
    /// The size at which a file is rotated before the day ends, in bytes.
    pub max_bytes: u64,
    /// The number of rotated files that are kept, of each file.
    pub keep_files: usize,
    /// Whether lines also go to standard output.
    pub stdout: bool,
}

impl Logging {
    /// From the settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            filter: settings.log_filter.clone(),
            format: settings.log_format,
            folder: settings.log_dir.clone(),
            max_bytes: settings.log_max_bytes,
            keep_files: settings.log_keep_files,
            stdout: true,
        }
    }

    /// Installs the global subscriber of a server. Dropping the guard writes all pending lines.
    pub fn install(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Guard> {
        let (subscriber, guard) = self.subscriber(clock)?;
        tracing::subscriber::set_global_default(subscriber)
            .context("logging is already installed")?;
        Ok(guard)
    }

    /// Installs the global subscriber of an operator's command, beside a server that may be running:
    /// standard error, and `server.log` if the server has created it. The command neither creates nor
    /// rotates the file, because its user may be another one than the server's.
    pub fn install_for_command(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Guard> {
        let server = self
            .folder
            .as_ref()
            .and_then(|folder| LogFile::existing(folder, SERVER_FILE).ok());
        let sinks = Sinks {
            console: Some(Console::stderr()),
            server,
            api: None,
            format: self.format,
        };
        let (subscriber, guard) = self.with_sinks(clock, sinks)?;
        tracing::subscriber::set_global_default(subscriber)
            .context("logging is already installed")?;
        Ok(guard)
    }

    /// The subscriber of a server and the guard of its writer thread.
    pub fn subscriber(
        &self,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<(impl tracing::Subscriber + Send + Sync + use<>, Guard)> {
        let sinks = Sinks {
            console: self.stdout.then(Console::stdout),
            server: self.file(SERVER_FILE)?,
            api: self.file("api.log")?,
            format: self.format,
        };
        self.with_sinks(clock, sinks)
    }

    fn with_sinks(
        &self,
        clock: Arc<dyn Clock>,
        sinks: Sinks,
    ) -> anyhow::Result<(impl tracing::Subscriber + Send + Sync + use<>, Guard)> {
        let filter: Targets = self.filter.parse().map_err(|error| SettingsError {
            problems: vec![format!("LOG_LEVEL is {:?}: {error}", self.filter)],
        })?;
        // Spans carry the request id, which a warning needs even if info events are filtered out.
        let spans = filter_fn(|metadata: &Metadata<'_>| metadata.is_span())
            .with_max_level_hint(Level::INFO);
        let (queue, guard) = writer::start(sinks)?;
        let layer = LineLayer::new(clock, self.format, queue);
        Ok((
            tracing_subscriber::registry().with(layer.with_filter(filter.or(spans))),
            guard,
        ))
    }

    fn file(&self, name: &str) -> anyhow::Result<Option<LogFile>> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let rotation = Rotation {
            max_bytes: self.max_bytes,
            keep_files: self.keep_files,
        };
        let file: io::Result<LogFile> = LogFile::open(folder, name, rotation);
        let file = file.with_context(|| {
            format!(
                "{name} cannot be written in {} (LOG_DIR; set it to an empty value to disable log files)",
                folder.display()
            )
        })?;
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests;
