//! Logs: one line per event, to standard output, `server.log` and (for requests) `api.log`.
//!
//! Owns the format of a line (`line`), the files and their daily rotation (`files`), and the
//! writer thread, so that logging never blocks the caller (`writer`). It knows nothing about the
//! content: the request id is a field of the surrounding span.
//!
//! Callers must not log secrets. Redaction of common secret names is a second line of defence.

mod files;
mod layer;
mod line;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use colloquy_core::config::{LogFormat, Settings, SettingsError};
use colloquy_core::ports::Clock;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use writer::Guard;

use files::DailyFile;
use layer::LineLayer;
use writer::Sinks;

/// Events with this target are requests; they also go to `api.log`.
pub const API_TARGET: &str = "colloquy::api";

/// Destination and format of log lines.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Which events are logged, as `RUST_LOG` directives.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
    /// The folder of the log files; `None` writes no files.
    pub folder: Option<PathBuf>,
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
            stdout: true,
        }
    }

    /// Installs the global subscriber. Dropping the guard writes all pending lines.
    pub fn install(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Guard> {
        let (subscriber, guard) = self.subscriber(clock)?;
        tracing::subscriber::set_global_default(subscriber)
            .context("logging is already installed")?;
        Ok(guard)
    }

    /// The subscriber and the guard of its writer thread.
    pub fn subscriber(
        &self,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<(impl tracing::Subscriber + Send + Sync + use<>, Guard)> {
        let filter = EnvFilter::try_new(&self.filter).map_err(|error| SettingsError {
            problems: vec![format!("LOG_LEVEL is {:?}: {error}", self.filter)],
        })?;
        // Spans carry the request id, which a warning needs even if info events are filtered out.
        let spans = filter_fn(|metadata: &Metadata<'_>| metadata.is_span())
            .with_max_level_hint(Level::INFO);
        let sinks = Sinks {
            stdout: self.stdout,
            server: self.file("server.log")?,
            api: self.file("api.log")?,
        };
        let (queue, guard) = writer::start(sinks)?;
        let layer = LineLayer::new(clock, self.format, queue);
        Ok((
            tracing_subscriber::registry().with(layer.with_filter(filter.or(spans))),
            guard,
        ))
    }

    fn file(&self, name: &str) -> anyhow::Result<Option<DailyFile>> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let file = DailyFile::open(folder, name).with_context(|| {
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
