//! The pictures of the documents. The browser tests of the embedded host take them; a test run changes
//! no file of the repository, so a command puts them into `docs/images`.
//!
//! To add one, take it in `web/test/browser/pictures.test.ts`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use colloquy_harness::tools;

/// Where a test run leaves them, below the target directory.
const TAKEN: &str = "pictures";

/// Where the documents have them, relative to the root.
const KEPT: &str = "docs/images";

/// The largest picture, in bytes: a reader of README loads several.
const MAX_BYTES: u64 = 250_000;

/// The directory of the pictures that a test run has taken.
pub(super) fn taken() -> PathBuf {
    tools::target_directory().join(TAKEN)
}

/// Copies them into the documents.
pub(super) fn keep() -> Result<()> {
    keep_from(&taken(), &colloquy_harness::root().join(KEPT))
}

fn keep_from(taken: &Path, kept: &Path) -> Result<()> {
    const HINT: &str = "there are no pictures: `cargo xtask test --only browser --host sqlite`";
    let mut any = false;
    for entry in fs::read_dir(taken).context(HINT)? {
        let picture = entry?;
        let bytes = picture.metadata()?.len();
        let name = picture.file_name();
        let shown = name.display();
        ensure!(
            bytes <= MAX_BYTES,
            "{shown} has {bytes} bytes, the limit is {MAX_BYTES}"
        );
        fs::copy(picture.path(), kept.join(&name)).with_context(|| shown.to_string())?;
        println!("{shown}  {bytes} bytes");
        any = true;
    }
    if !any {
        bail!(HINT);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_kept_unless_one_is_large_or_there_is_none() {
        let base = std::env::temp_dir().join(format!("colloquy-pictures-{}", std::process::id()));
        let (taken, kept) = (base.join("taken"), base.join("kept"));
        for directory in [&taken, &kept] {
            fs::create_dir_all(directory).unwrap();
        }
        assert!(keep_from(&base.join("missing"), &kept).is_err());
        assert!(keep_from(&taken, &kept).is_err(), "it is empty");
        fs::write(taken.join("chat.png"), "picture").unwrap();
        keep_from(&taken, &kept).unwrap();
        assert_eq!(fs::read(kept.join("chat.png")).unwrap(), b"picture");
        let large = usize::try_from(MAX_BYTES).unwrap() + 1;
        fs::write(taken.join("chat.png"), vec![0; large]).unwrap();
        assert!(keep_from(&taken, &kept).is_err());
        fs::remove_dir_all(base).unwrap();
    }
}
