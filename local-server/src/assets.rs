//! The pages of the browser, compiled into the binary: every file of `web/dist` with its compressed
//! forms, in a table the build script makes.

use std::io::Write as _;

use colloquy_core::ports::{Asset, Assets};
use flate2::Compression;
use flate2::write::GzEncoder;

/// The path and content of every file, by path.
static FILES: &[(&str, Asset)] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The files in this binary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmbeddedAssets;

impl Assets for EmbeddedAssets {
    fn get(&self, path: &str) -> Option<&'static Asset> {
        let index = FILES.binary_search_by_key(&path, |(path, _)| path).ok()?;
        FILES.get(index).map(|(_, asset)| asset)
    }

    fn gzip(&self, document: &[u8]) -> Option<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(document).ok()?;
        encoder.finish().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_has_the_start_page() {
        assert!(FILES.is_sorted_by_key(|(path, _)| path));
        let page = EmbeddedAssets.get("/").unwrap();
        assert!(page.identity.starts_with(b"<!doctype html>"));
        assert!(page.brotli.unwrap().len() < page.identity.len());
        assert!(EmbeddedAssets.get("/BUILD.json").is_none());
    }
}
