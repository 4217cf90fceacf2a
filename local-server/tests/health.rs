//! What the health checks report about an SQLite database that cannot be written.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

#[path = "support/process.rs"]
mod support;

use support::{Server, program};

/// A probe answers within a second; the rest is this machine.
const LIMIT: Duration = Duration::from_millis(1_500);

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("data/colloquy.sqlite3")
}

fn check(server: &Server, path: &str) -> (u16, Value) {
    let started = Instant::now();
    let answer = server.call("GET", path, "", "");
    assert!(started.elapsed() < LIMIT, "{path}: {:?}", started.elapsed());
    answer
}

/// Asks until the status is this one: a result is used again for a second.
fn wait_for(server: &Server, status: u16) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let (found, health) = check(server, "/health/");
        if found == status {
            return health;
        }
        assert!(Instant::now() < deadline, "{health}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn check_unhealthy(server: &Server, reason: &str) {
    let health = wait_for(server, 503);
    assert_eq!(health["status"], "unhealthy", "{health}");
    assert_eq!(health["database"], false, "{health}");
    assert_eq!(health["reason"], reason, "{health}");
    let (status, ready) = check(server, "/health/ready/");
    assert_eq!(
        (status, &ready["reason"]),
        (503, &health["reason"]),
        "{ready}"
    );
    assert_eq!(check(server, "/health/live/").0, 200);
}

#[test]
fn lock_of_another_process_is_reported_until_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    assert_eq!(wait_for(&server, 200).get("reason"), None);
    let other = Connection::open(database(&folder)).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let reason = "database is locked by another process";
    check_unhealthy(&server, reason);
    // Also while a write of a client waits for the lock.
    std::thread::scope(|scope| {
        let body = r#"{"username":"ann","email":"ann@example.com","password":"Hidden-Pass-77"}"#;
        scope.spawn(|| server.call("POST", "/api/users/register/", "", body));
        std::thread::sleep(Duration::from_millis(1_100));
        check_unhealthy(&server, reason);
        other.execute_batch("rollback").unwrap();
    });
    wait_for(&server, 200);
    server.signal("TERM");
    let (_, printed) = server.wait();
    assert_eq!(
        printed.matches("database is unusable").count(),
        1,
        "{printed}"
    );
    assert!(printed.contains("database is usable again"), "{printed}");
}

#[test]
fn removed_and_replaced_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    wait_for(&server, 200);
    let (path, moved) = (database(&folder), folder.path().join("moved"));
    let reason = "database file was removed or replaced while the server runs";
    fs::rename(&path, &moved).unwrap();
    check_unhealthy(&server, reason);
    fs::copy(&moved, &path).unwrap();
    check_unhealthy(&server, reason);
}

#[test]
fn damaged_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    wait_for(&server, 200);
    let path = database(&folder);
    let other = Connection::open(&path).unwrap();
    other
        .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .unwrap();
    drop(other);
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[7; 4_096], 0).unwrap();
    check_unhealthy(&server, "database is corrupt");
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server is killed, but may not have been collected yet.
        Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status()
            .ok();
    }
}

#[test]
fn full_disk_is_reported_until_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: a full disk: this process may not mount a file system");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(program(&folder).env("DATA_DIR", disk.0.path()));
    wait_for(&server, 200);
    let filler = disk.0.path().join("filler");
    assert!(
        fs::write(&filler, vec![0; 8 << 20]).is_err(),
        "the disk is not full"
    );
    check_unhealthy(&server, "database has no disk space left");
    fs::remove_file(filler).unwrap();
    wait_for(&server, 200);
}
