//! The machine-readable descriptions of the wire: `OpenAPI` of the routes, `AsyncAPI` of the sockets.
//!
//! Both are generated from the types that are sent and received, and written to `web/wire`. The
//! `AsyncAPI` document is compiled into the server from there, so that the server contains no generator;
//! a test compares the files with the types. The types of the web client are generated from the
//! same files. `cargo xtask wire` writes all of them.

mod asyncapi;
mod codes;
mod examples;
mod frames;
mod json;
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::json::Json;

/// One document.
#[derive(Debug)]
pub struct Document {
    /// The name of its file.
    pub file: &'static str,
    /// Its text.
    pub text: String,
}

impl Document {
    fn new(file: &'static str, json: &Json) -> Result<Self> {
        let mut text = serde_json::to_string_pretty(json)?;
        text.push('\n');
        Ok(Self { file, text })
    }

    /// The file in the repository.
    fn path(&self) -> PathBuf {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/wire");
        directory.join(self.file)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<()> {
        let path = self.path();
        std::fs::write(&path, &self.text).with_context(|| path.display().to_string())
    }

    /// Whether the file in the repository has this text.
    pub fn is_current(&self) -> bool {
        std::fs::read_to_string(self.path()).is_ok_and(|written| written == self.text)
    }
}

/// Every document, generated from the types.
///
/// # Errors
/// When a type has a schema or an example that the documents cannot express.
pub fn documents() -> Result<[Document; 2]> {
    let openapi = colloquy_core::http::openapi();
    let openapi = std::str::from_utf8(&openapi).context("openapi.json")?;
    Ok([
        Document::new("openapi.json", &Json::parse(openapi)?)?,
        Document::new("asyncapi.json", &asyncapi::document()?)?,
    ])
}
