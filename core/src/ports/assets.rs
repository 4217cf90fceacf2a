//! The built pages of the browser, where the host does not serve them before a request arrives here.

/// A file, in every encoding the host has of it.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The value of `Content-Type`.
    pub media_type: &'static str,
    /// A digest of the content, without quotes.
    pub etag: &'static str,
    /// The content as it is.
    pub identity: &'static [u8],
    /// The content compressed with gzip, if that is smaller.
    pub gzip: Option<&'static [u8]>,
    /// The content compressed with Brotli, if that is smaller.
    pub brotli: Option<&'static [u8]>,
}

/// The files of `web/dist`.
pub trait Assets: Send + Sync {
    /// The file that is served at this path of a URL: `/`, `/docs/`, `/assets/….js`.
    fn get(&self, path: &str) -> Option<&'static Asset>;

    /// Compresses a document with gzip; `None` where the platform compresses responses itself. Called
    /// once per document when the router is built, never per request.
    fn gzip(&self, document: &[u8]) -> Option<Vec<u8>>;
}

/// A host whose platform serves the files and compresses responses, as Workers static assets do.
#[derive(Debug, Clone, Copy)]
pub struct NoAssets;

impl Assets for NoAssets {
    fn get(&self, _path: &str) -> Option<&'static Asset> {
        None
    }

    fn gzip(&self, _document: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
