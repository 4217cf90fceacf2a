//! The files of `web/dist` and the paths they are served at.
//!
//! The paths are those of the platform at the edge (`html_handling = "auto-trailing-slash"`): a file
//! `index.html` is served as its directory, every other file under its own name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the headers of every path, which the platform at the edge reads.
pub const HEADERS: &str = "_headers";

/// The file that names what the platform at the edge must not upload.
pub const IGNORED_BY_PLATFORM: &str = ".assetsignore";

/// The file with the digest of the sources of a build.
pub const BUILD_RECORD: &str = "BUILD.json";

/// Files of `web/dist` that describe the build and are not served.
const NOT_SERVED: &[&str] = &[HEADERS, IGNORED_BY_PLATFORM, BUILD_RECORD];

/// A file that is served.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub source: PathBuf,
    /// The path of its URL.
    pub path: String,
    /// The value of `Content-Type`.
    pub media_type: &'static str,
}

/// The served files of a built `web/dist`, by path.
pub fn read(dist: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for relative in walk(dist, &|_| true)? {
        if NOT_SERVED.contains(&relative.as_str()) {
            continue;
        }
        let media_type = media_type(&relative).ok_or_else(|| {
            io::Error::other(format!(
                "{relative}: the media type of this file is unknown"
            ))
        })?;
        let path = match relative.strip_suffix("index.html") {
            Some(directory) if directory.is_empty() || directory.ends_with('/') => {
                format!("/{directory}")
            }
            _ => format!("/{relative}"),
        };
        files.push(File {
            source: dist.join(&relative),
            path,
            media_type,
        });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The types the platform at the edge answers, so that every host answers the same.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// The files below `root` for which every component of their path is `wanted`, relative to it with
/// `/` as the separator, in one order on every machine.
pub(crate) fn walk(root: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| wanted(name)) else {
                continue;
            };
            let relative = format!("{directory}{name}");
            if entry.file_type()?.is_dir() {
                directories.push(format!("{relative}/"));
            } else {
                found.push(relative);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_served_as_their_directory() {
        let dist = tempfile::tempdir().unwrap();
        fs::create_dir_all(dist.path().join("docs")).unwrap();
        for name in [
            "index.html",
            "docs/index.html",
            "robots.txt",
            HEADERS,
            BUILD_RECORD,
        ] {
            fs::write(dist.path().join(name), "").unwrap();
        }
        let files = read(dist.path()).unwrap();
        let served: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.media_type))
            .collect();
        assert_eq!(
            served,
            [
                ("/", "text/html; charset=utf-8"),
                ("/docs/", "text/html; charset=utf-8"),
                ("/robots.txt", "text/plain; charset=utf-8"),
            ]
        );
    }

    #[test]
    fn file_of_an_unknown_type_is_an_error() {
        let dist = tempfile::tempdir().unwrap();
        fs::write(dist.path().join("picture.bmp"), "").unwrap();
        assert!(read(dist.path()).is_err());
    }
}
