//! The generated token-signing key and its file.
//!
//! The file is created once, even by two processes at a time, is never partially written, and is
//! readable by its owner only. Whether a generated key is allowed is decided by the settings.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use colloquy_core::ports::Rng;

use crate::private_files::{DATA_FILE_MODE, DATA_FOLDER_MODE, create_folder, with_mode};

/// The shortest key for HS256 (RFC 7518 §3.2), in bytes.
const MIN_BYTES: usize = 32;

/// Reads the key from the file, and creates the file if it is missing.
pub fn load_or_create(path: &Path, rng: &dyn Rng) -> anyhow::Result<String> {
    let key = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path, rng).and_then(|()| fs::read_to_string(path))
        }
        other => other,
    };
    let key = key.with_context(|| format!("the key file {} cannot be used", path.display()))?;
    let key = key.trim();
    anyhow::ensure!(
        key.len() >= MIN_BYTES,
        "the key file {} has {} bytes but needs at least {MIN_BYTES}: remove it to generate a new one (all users must then log in again)",
        path.display(),
        key.len(),
    );
    Ok(key.to_owned())
}

/// Writes a new key to a draft file and hard-links it to `path`, unless another process was faster.
/// A reader of `path` finds nothing or a complete key, and all readers find the same one.
fn create(path: &Path, rng: &dyn Rng) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder, DATA_FOLDER_MODE)?;
    }
    let draft = path.with_extension(format!("draft.{}", hex(rng, 8)));
    let written = write_private(&draft, &hex(rng, 32)).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).ok();
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file: File = with_mode(&mut options, DATA_FILE_MODE).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn hex(rng: &dyn Rng, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rng.fill(&mut buffer);
    let mut text = String::with_capacity(2 * bytes);
    for byte in buffer {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRng;

    #[test]
    fn concurrent_callers_create_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/secret.key");
        let keys: Vec<String> = std::thread::scope(|scope| {
            let load = || load_or_create(&path, &SystemRng).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(keys[0].len(), 64);
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "a draft file was left"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            let data = fs::metadata(path.parent().unwrap()).unwrap();
            assert_eq!(data.permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn file_without_a_key_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        fs::write(&path, "short\n").unwrap();
        let error = load_or_create(&path, &SystemRng).unwrap_err().to_string();
        assert!(
            error.contains("5 bytes") && !error.contains("short"),
            "{error}"
        );
    }
}
