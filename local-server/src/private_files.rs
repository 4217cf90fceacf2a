//! Who may read the server's own files: modes of folders and files at their creation.
//!
//! A folder or file that exists keeps its mode, which the operator may have chosen.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// `DATA_DIR` holds the signing key and the password hashes: its owner only.
pub(crate) const DATA_FOLDER_MODE: u32 = 0o700;

/// `LOG_DIR` holds addresses and ids: its owner, and the group for a log collector.
pub(crate) const LOG_FOLDER_MODE: u32 = 0o750;

/// A log file.
pub(crate) const LOG_FILE_MODE: u32 = 0o640;

/// The key file and the database.
pub(crate) const DATA_FILE_MODE: u32 = 0o600;

/// Creates a folder and those above it that do not exist.
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "other systems have no modes")
)]
pub(crate) fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    builder.create(path)
}

/// Creates the file, if it is created, with this mode.
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "other systems have no modes")
)]
pub(crate) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    options
}

/// Whether the folder exists and other users than its owner may read or change it.
#[cfg(unix)]
pub(crate) fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Other systems have no modes.
#[cfg(not(unix))]
pub(crate) fn readable_by_others(_: &Path) -> bool {
    false
}
