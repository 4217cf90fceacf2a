//! Whether `web/dist` is the build of the sources beside it.
//!
//! The digest covers every file of `web/` that a build may read. It only serves a warning: the proof
//! is `cargo xtask web --check`, which builds again and compares every byte.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::files::{BUILD_RECORD, walk};

/// The files of `web/` that a build may read, relative to it.
pub fn inputs(web: &Path) -> io::Result<Vec<String>> {
    walk(web, &|name| {
        let output_or_test = ["dist", "node_modules", "test"].contains(&name);
        let is_document = matches!(name.rsplit_once('.'), Some((_, "md")));
        let ignored = name.starts_with('.') || name.ends_with(".test.ts") || is_document;
        !output_or_test && !ignored
    })
}

/// The digest of the sources: SHA-256 over the path and the digest of every input, in hexadecimal.
pub fn digest(web: &Path) -> io::Result<String> {
    let mut all = Sha256::new();
    for path in inputs(web)? {
        let content = fs::read(web.join(&path))?;
        all.update(format!("{path}\0{}\n", hex(&Sha256::digest(&content))));
    }
    Ok(hex(&all.finalize()))
}

/// The content of [`BUILD_RECORD`] for sources with this digest.
pub fn record(digest: &str) -> String {
    format!("{{\n  \"sources\": \"sha256:{digest}\"\n}}\n")
}

/// Whether `web/dist` is the build of the sources, by its record.
pub fn is_current(web: &Path) -> io::Result<bool> {
    let recorded = fs::read_to_string(web.join("dist").join(BUILD_RECORD))?;
    Ok(recorded == record(&digest(web)?))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_is_current_until_an_input_changes() {
        let web = tempfile::tempdir().unwrap();
        for directory in ["app", "dist", "sdk/test", "node_modules"] {
            fs::create_dir_all(web.path().join(directory)).unwrap();
        }
        let write = |path: &str, text: &str| fs::write(web.path().join(path), text).unwrap();
        write("app/main.ts", "1");
        let recorded = record(&digest(web.path()).unwrap());
        write("dist/BUILD.json", &recorded);
        for no_input in [
            "dist/index.html",
            "sdk/test/a.ts",
            "node_modules/a.js",
            "app/a.test.ts",
        ] {
            write(no_input, "2");
            assert!(is_current(web.path()).unwrap(), "{no_input}");
        }
        write("app/main.ts", "2");
        assert!(!is_current(web.path()).unwrap());
    }
}
