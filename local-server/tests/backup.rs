//! `backup` and `restore`: with running servers, killed servers, and damaged files.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

#[path = "support/process.rs"]
mod support;

use support::{Server, program, run};

const PASSWORD: &str = "Hidden-Pass-77";

fn start(folder: &TempDir) -> Server {
    Server::start(program(folder).env("THROTTLE_RATE_SECONDS", "0"))
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("data/colloquy.sqlite3")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

fn epoch(path: &Path) -> String {
    let connection = Connection::open(path).expect("opens");
    let epoch = connection.query_row("select epoch from instance", [], |row| row.get(0));
    epoch.expect("one row")
}

/// Registers a user and returns the id and an access token.
fn account(server: &Server, name: &str) -> (i64, String) {
    let body =
        json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let (status, _) = server.call("POST", "/api/users/register/", "", &body.to_string());
    assert_eq!(status, 201);
    log_in(server, name)
}

fn log_in(server: &Server, name: &str) -> (i64, String) {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let (status, login) = server.call("POST", "/api/users/login/", "", &body);
    assert_eq!(status, 200, "{login}");
    let id = login["user"]["id"].as_i64().expect("an id");
    (id, login["access"].as_str().expect("a token").to_owned())
}

/// Ann, and a conversation with Bob.
fn conversation(server: &Server) -> (String, String) {
    let (_, token) = account(server, "ann");
    let (bob, _) = account(server, "bob");
    let body = json!({"participants": [bob]}).to_string();
    let (status, created) = server.call("POST", "/api/chat/conversations/", &token, &body);
    assert_eq!(status, 201, "{created}");
    let path = format!("/api/chat/conversations/{}/messages/", created["id"]);
    (token, path)
}

fn send(server: &Server, token: &str, path: &str, text: &str) -> u16 {
    let body = json!({"message": text}).to_string();
    server.call("POST", path, token, &body).0
}

fn texts(server: &Server, token: &str, path: &str) -> Vec<String> {
    let (status, page) = server.call("GET", path, token, "");
    assert_eq!(status, 200, "{page}");
    let texts = page["messages"].as_array().expect("messages").iter();
    texts
        .map(|message| message["content"].as_str().expect("a text").to_owned())
        .collect()
}

fn restore(folder: &TempDir, file: &str) -> (Option<i32>, String, String) {
    run(program(folder).args(["restore", file]))
}

/// A backup is taken and the server is killed while it writes; then the backup is restored.
#[test]
fn backup_of_a_running_server_is_restored_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(&folder);
    let (token, path) = conversation(&server);
    let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let before_backup = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let text = format!("message {}", sent.load(Ordering::Relaxed));
                if send(&server, &token, &path, &text) == 201 {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        while sent.load(Ordering::Relaxed) < 5 {
            std::thread::yield_now();
        }
        let before_backup = sent.load(Ordering::Relaxed);
        let (code, stdout, stderr) = run(program(&folder).args(["backup", "copy.sqlite3"]));
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("data/secret.key"), "{stdout}");
        let after_backup = sent.load(Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) < after_backup + 5 {
            std::thread::yield_now();
        }
        let (code, _, stderr) = run(program(&folder).args(["backup", "copy.sqlite3"]));
        assert_eq!(code, Some(1));
        assert!(stderr.contains("exists already"), "{stderr}");
        let (code, _, stderr) = restore(&folder, "copy.sqlite3");
        assert_eq!(code, Some(1));
        assert!(stderr.contains("stop it first"), "{stderr}");
        server.signal("KILL");
        stop.store(true, Ordering::Relaxed);
        before_backup
    });
    server.child.wait().unwrap();
    assert_eq!(mode(&folder.path().join("copy.sqlite3")), 0o600);
    check_restore(&folder, &token, &path, before_backup, sent.into_inner());
}

fn check_restore(folder: &TempDir, token: &str, path: &str, before: usize, sent: usize) {
    let database = database(folder);
    assert!(
        with_suffix(&database, "-wal").exists(),
        "the kill left no log"
    );
    fs::set_permissions(&database, fs::Permissions::from_mode(0o640)).unwrap();
    let key = fs::read(folder.path().join("data/secret.key")).unwrap();
    let (code, stdout, stderr) = restore(folder, "copy.sqlite3");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("event: database_restored"), "{stderr}");
    assert!(stdout.contains("is restored from copy.sqlite3"), "{stdout}");
    assert_eq!(mode(&database), 0o640);
    assert_eq!(
        fs::read(folder.path().join("data/secret.key")).unwrap(),
        key
    );
    assert!(!with_suffix(&database, "-wal").exists());
    let kept = with_suffix(&database, ".before-restore");
    assert_ne!(epoch(&database), epoch(&kept), "the epoch was not renewed");
    let server = start(folder);
    let messages = texts(&server, token, path);
    let expected: Vec<_> = (0..messages.len())
        .map(|n| format!("message {n}"))
        .collect();
    assert_eq!(messages, expected);
    assert!(
        (before..sent).contains(&messages.len()),
        "{before} {} {sent}",
        messages.len()
    );
    assert_eq!(send(&server, token, path, "after"), 201);
    let (status, health) = server.call("GET", "/health/", "", "");
    assert_eq!(
        (status, &health["status"]),
        (200, &json!("healthy")),
        "{health}"
    );
}

/// SQLite would apply the log of the old file to the new one.
#[test]
fn restore_replaces_a_damaged_database_and_its_stale_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(&folder);
    let (token, path) = conversation(&server);
    assert_eq!(send(&server, &token, &path, "kept"), 201);
    let (code, _, stderr) = run(program(&folder).args(["backup", "copy.sqlite3"]));
    assert_eq!(code, Some(0), "{stderr}");
    for number in 0..20 {
        assert_eq!(send(&server, &token, &path, &format!("lost {number}")), 201);
    }
    server.signal("KILL");
    server.child.wait().unwrap();
    let database = database(&folder);
    let owner = fs::metadata(&database).unwrap().uid();
    assert!(
        with_suffix(&database, "-wal").exists(),
        "the kill left no log"
    );
    fs::write(&database, vec![7; 16 * 1024]).unwrap();
    let (code, stdout, stderr) = restore(&folder, "copy.sqlite3");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(".before-restore"), "{stdout}");
    for suffix in ["-wal", "-shm"] {
        assert!(!with_suffix(&database, suffix).exists(), "{suffix}");
    }
    assert_eq!(fs::metadata(&database).unwrap().uid(), owner);
    assert!(with_suffix(&database, ".before-restore").exists());
    let server = start(&folder);
    assert_eq!(texts(&server, &token, &path), ["kept"]);
}

#[test]
fn restore_refuses_files_that_are_no_intact_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (code, ..) = run(program(&folder).arg("migrate"));
    assert_eq!(code, Some(0));
    let before = epoch(&database(&folder));
    let (code, _, stderr) = run(program(&folder).args(["backup", "intact"]));
    assert_eq!(code, Some(0), "{stderr}");
    let intact = fs::read(folder.path().join("intact")).unwrap();
    let mut damaged = intact.clone();
    damaged[4 * 4096..6 * 4096].fill(7);
    fs::write(folder.path().join("damaged"), damaged).unwrap();
    fs::write(folder.path().join("text"), "not a database, but a text").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    Connection::open(folder.path().join("other"))
        .unwrap()
        .execute_batch("create table other (id integer)")
        .unwrap();
    fs::copy(folder.path().join("intact"), folder.path().join("newer")).unwrap();
    Connection::open(folder.path().join("newer"))
        .unwrap()
        .execute_batch(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (9999, 'later', 1, x'00', 0)",
        )
        .unwrap();
    for (file, problem) in [
        ("missing", "there is no database missing"),
        ("empty", "empty is empty"),
        ("text", "text"),
        ("damaged", "damaged"),
        ("other", "not a database of this program"),
        ("newer", "start a newer build"),
    ] {
        let (code, _, stderr) = restore(&folder, file);
        assert_eq!(
            (code, stderr.contains(problem)),
            (Some(1), true),
            "{file}: {stderr}"
        );
        assert_eq!(epoch(&database(&folder)), before, "{file}");
    }
    let left = fs::read_dir(folder.path().join("data")).unwrap();
    let drafts = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("draft")
    });
    assert_eq!(drafts.count(), 0);
}

#[test]
fn second_server_on_a_database_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(&folder);
    let second = start(&folder);
    second.signal("TERM");
    let (code, printed) = second.wait();
    assert_eq!(code, Some(0));
    assert!(
        printed.contains("another server uses this database"),
        "{printed}"
    );
    first.signal("TERM");
    let (_, printed) = first.wait();
    assert!(!printed.contains("another server"), "{printed}");
}

#[test]
fn commands_for_sqlite_refuse_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["backup", "restore"] {
        let (code, _, stderr) = run(program(&folder)
            .args([command, "file"])
            .env("DATABASE_URL", "postgres://user:hidden@localhost/chat"));
        assert_eq!(code, Some(1));
        assert!(
            stderr.contains("pg_dump") && !stderr.contains("hidden"),
            "{stderr}"
        );
    }
}
