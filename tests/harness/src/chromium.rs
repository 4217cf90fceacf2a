//! The browser that the tests of the pages start.
//!
//! Owns finding and installing it. How a test starts it is defined in `web/test/browser/harness.ts`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::processes::Processes;
use crate::{debian, tools};

/// The variable that names a browser of one's own.
const VARIABLE: &str = "CHROMIUM";

/// What its program is called. Ubuntu's `chromium-browser` only starts a snap, so it comes last.
const NAMES: &[&str] = &[
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
];

/// Debian's packages. The browser alone has no fonts: without them pages have other widths, and no
/// Arabic and no emoji.
const PACKAGES: &[&str] = &[
    "chromium",
    "fonts-dejavu-core",
    "fonts-liberation",
    "fonts-noto-color-emoji",
];

/// The path of the browser; installs it first where it is missing.
pub fn ensure(processes: &Processes) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        let file = chosen.display();
        ensure!(
            tools::is_program(&chosen),
            "{VARIABLE} names {file}, which is no program"
        );
        return Ok(chosen);
    }
    if find().is_none() {
        let purpose = format!("the tests of the pages (or name a browser in {VARIABLE})");
        debian::install(processes, PACKAGES, &purpose)?;
    }
    find().context("chromium was installed but is not in PATH")
}

fn find() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| tools::find(name))
}
