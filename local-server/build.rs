//! What is compiled into the server: the migrations, which are read at compile time, and the built
//! pages, which are compressed here.

use std::env;
use std::path::{Path, PathBuf};

use colloquy_web_dist::{embed, inputs, is_current};

/// The directory of the pages, relative to this package.
const WEB: &str = "../web";

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed={WEB}/dist");
    let out = env::var_os("OUT_DIR").map(PathBuf::from);
    let out = out.expect("cargo sets OUT_DIR");
    let web = Path::new(WEB);
    embed(&web.join("dist"), &out, "assets.rs").expect("web/dist cannot be embedded");
    warn_if_outdated(web);
}

/// Only warns: building the pages needs Node.js and packages, building the server must not.
fn warn_if_outdated(web: &Path) {
    for input in inputs(web).into_iter().flatten() {
        println!("cargo:rerun-if-changed={WEB}/{input}");
    }
    if !is_current(web).unwrap_or(false) {
        println!("cargo:warning=web/dist is older than its sources; `cargo xtask web` builds it");
    }
}
