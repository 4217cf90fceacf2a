//! The table of files that a binary embeds, each compressed once at build time.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::files::{File, read};
use crate::sources::hex;

/// How much of the digest an entity tag contains, in characters.
const ETAG_CHARS: usize = 32;

/// Writes the served files of `dist` into `out`, plain and compressed, and a Rust expression of type
/// `&[(&str, Asset)]` into `out/table`, sorted by path.
pub fn embed(dist: &Path, out: &Path, table: &str) -> io::Result<()> {
    let mut rows = String::from("&[\n");
    for (index, file) in read(dist)?.iter().enumerate() {
        let content = fs::read(&file.source)?;
        let name = |coding: &str| format!("{index}.{coding}");
        fs::write(out.join(name("identity")), &content)?;
        let mut encodings = [("gzip", gzip(&content)?), ("brotli", brotli(&content)?)]
            .into_iter()
            .map(|(coding, encoded)| {
                // What is compressed already, such as an image, only grows.
                if encoded.len() >= content.len() {
                    return Ok(format!("{coding}: None"));
                }
                fs::write(out.join(name(coding)), &encoded)?;
                Ok(format!("{coding}: Some({})", include(&name(coding))))
            });
        let encodings = encodings.try_fold(String::new(), |text, encoding: io::Result<_>| {
            Ok::<_, io::Error>(text + &encoding? + ", ")
        })?;
        let File {
            path, media_type, ..
        } = file;
        let etag = &hex(&Sha256::digest(&content))[..ETAG_CHARS];
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "({path:?}, Asset {{ media_type: {media_type:?}, etag: {etag:?}, identity: {}, {encodings}}}),",
            include(&name("identity"))
        );
    }
    fs::write(out.join(table), rows + "]\n")
}

fn include(name: &str) -> String {
    format!("include_bytes!({name:?})")
}

/// The size of a file as it is sent with gzip, for budgets.
pub fn gzipped_size(content: &[u8]) -> io::Result<usize> {
    Ok(gzip(content)?.len())
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoded = Vec::new();
    let parameters = BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut &content[..], &mut encoded, &parameters)?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_every_file_with_the_encodings_that_are_smaller() {
        let dist = tempfile::tempdir().unwrap();
        let out = tempfile::tempdir().unwrap();
        fs::write(dist.path().join("index.html"), "<p>text</p>".repeat(100)).unwrap();
        fs::write(dist.path().join("icon.png"), [0x89]).unwrap();
        embed(dist.path(), out.path(), "assets.rs").unwrap();
        let table = fs::read_to_string(out.path().join("assets.rs")).unwrap();
        let rows: Vec<_> = table.lines().collect();
        assert!(rows[1].starts_with("(\"/\", Asset {"), "{table}");
        assert!(
            rows[1].contains("gzip: Some(include_bytes!(\"0.gzip\"))"),
            "{table}"
        );
        assert!(rows[2].starts_with("(\"/icon.png\", Asset {"), "{table}");
        assert!(rows[2].contains("gzip: None, brotli: None"), "{table}");
        assert!(fs::read(out.path().join("0.brotli")).unwrap().len() < 100);
    }
}
