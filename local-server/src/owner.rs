//! The owner of the server's files, for commands that run as another user.
//!
//! An operator often runs a command as root, in a container or with sudo. A file that it creates in
//! the server's folder must belong to the server's user, or the server cannot open it.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives the file to an owner, if it belongs to another one.
///
/// # Errors
/// This user is neither that owner nor root.
#[cfg(unix)]
pub(crate) fn give_to(path: &Path, owner: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let file = fs::metadata(path)?;
    if (file.uid(), file.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Files have no owner to change here.
#[cfg(not(unix))]
pub(crate) fn give_to(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Gives the file to the owner of its folder.
pub(crate) fn give_to_owner_of_folder(path: &Path) -> io::Result<()> {
    give_to(path, &fs::metadata(folder_of(path))?)
}
