//! The unmodified npm client `@upstash/redis` against the proxy: `tests/npm/drive.mjs` makes the calls
//! and checks them; this file starts the servers and reports the result.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::support::{Proxy, Redis, TOKEN};

fn node(script: &str, environment: &[(&str, &str)]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm");
    install(&directory);
    let output = Command::new("node")
        .arg(script)
        .current_dir(&directory)
        .envs(environment.iter().copied())
        .output()
        .expect("no node: these tests need node 20 or newer, run them through `cargo xtask test`");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script} failed:\n{stdout}\n{stderr}"
    );
}

/// Tests run concurrently; two `npm ci` in one directory would conflict.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Installs the packages of the lock file, unless they are installed.
fn install(directory: &Path) {
    let _guard = INSTALLING
        .lock()
        .expect("the other installation did not fail");
    if directory
        .join("node_modules/@upstash/redis/package.json")
        .exists()
    {
        return;
    }
    let installed = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .status()
        .expect("no npm: these tests need node 20 or newer, run them through `cargo xtask test`");
    assert!(
        installed.success(),
        "`npm ci` failed in {}",
        directory.display()
    );
}

#[test]
fn npm_client_works_unmodified() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    node(
        "drive.mjs",
        &[("PROXY_URL", &proxy.url), ("PROXY_TOKEN", TOKEN)],
    );
}

#[test]
fn npm_client_reports_an_outage_at_once() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    redis.kill();
    node(
        "outage.mjs",
        &[("PROXY_URL", &proxy.url), ("PROXY_TOKEN", TOKEN)],
    );
}
