//! The built pages in `web/dist`: which files are served under which path, whether they are the
//! build of the sources beside them, and the table of compressed files that a binary embeds.
//!
//! Used by the build script of the local server and by `cargo xtask web`. Runs no Node.js and builds
//! nothing: `cargo xtask web` does.

mod embed;
mod files;
mod sources;

pub use embed::{embed, gzipped_size};
pub use files::{BUILD_RECORD, File, HEADERS, IGNORED_BY_PLATFORM, read};
pub use sources::{digest, inputs, is_current, record};
