//! Log files, signals and security events, as an operator sees them: the binary as a process.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "support/process.rs"]
mod support;

use serde_json::{Value, json};
use support::{Server, program, run};
use tempfile::TempDir;

const PASSWORD: &str = "Hidden-Pass-77";
const LIVE: &str = "GET /health/live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Longer than the writer waits before it notices a moved file.
const PROMPT: Duration = Duration::from_secs(5);

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default()
}

/// Waits until the file contains the text, and returns the line with it.
fn line(folder: &TempDir, name: &str, text: &str, mut between: impl FnMut()) -> String {
    let started = Instant::now();
    loop {
        let content = read(folder, name);
        if let Some(line) = content.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        assert!(started.elapsed() < PROMPT, "no {text} in {name}: {content}");
        between();
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn register(server: &Server, name: &str) -> Value {
    let account =
        json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let (status, user) = server.call("POST", "/api/users/register/", "", &account.to_string());
    assert_eq!(status, 201, "{user}");
    user["id"].clone()
}

fn log_in(server: &Server, name: &str, password: &str) -> (u16, Value) {
    let body = json!({"username": name, "password": password}).to_string();
    server.call("POST", "/api/users/login/", "", &body)
}

fn refresh(server: &Server, pair: &Value) -> (u16, Value) {
    let body = json!({"refresh": pair["refresh"]}).to_string();
    server.call("POST", "/api/users/token/refresh/", "", &body)
}

#[test]
fn hangup_reopens_the_log_files_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let logs = folder.path().join("logs");
    for (round, signal) in ["HUP", "USR1"].into_iter().enumerate() {
        server.request(LIVE);
        line(&folder, "api.log", "/health/live/", || {});
        for name in ["api.log", "server.log"] {
            fs::rename(logs.join(name), logs.join(format!("{name}.{round}"))).unwrap();
        }
        server.signal(signal);
        line(&folder, "server.log", "log files reopened", || {});
        server.request(LIVE);
        line(&folder, "api.log", "/health/live/", || {});
    }
    server.signal("TERM");
    assert_eq!(server.wait().0, Some(0));
    let lines = |name| read(&folder, name).lines().count();
    assert_eq!(
        lines("api.log.0") + lines("api.log.1") + lines("api.log"),
        4
    );
}

#[test]
fn moved_and_deleted_log_files_are_noticed_without_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let path = folder.path().join("logs/api.log");
    for move_away in [
        |path: &Path| fs::rename(path, path.with_extension("moved")),
        |path: &Path| fs::remove_file(path),
    ] {
        server.request(LIVE);
        line(&folder, "api.log", "/health/live/", || {});
        move_away(&path).unwrap();
        line(&folder, "api.log", "/health/live/", || {
            drop(server.request(LIVE));
        });
    }
}

#[test]
fn quit_shuts_down_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    server.signal("QUIT");
    let (code, printed) = server.wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("graceful shutdown complete"), "{printed}");
}

#[test]
fn requests_are_logged_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    server.request(LIVE);
    line(&folder, "api.log", "http.route: /health/live/", || {});
    server.signal("TERM");
    server.wait();
    assert!(!read(&folder, "server.log").contains("/health/live/"));
}

#[cfg(unix)]
#[test]
fn data_and_logs_are_not_readable_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let mode = |path: &str| {
        let metadata = fs::metadata(folder.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("data"), 0o700);
    for (path, forbidden) in [
        ("data/colloquy.sqlite3", 0o177),
        ("data/secret.key", 0o177),
        ("logs", 0o027),
        ("logs/server.log", 0o137),
        ("logs/api.log", 0o137),
    ] {
        assert_eq!(mode(path) & forbidden, 0, "{path}: {:o}", mode(path));
    }
    drop(server);
    fs::set_permissions(
        folder.path().join("data"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let _server = Server::start(&mut program(&folder));
    line(
        &folder,
        "server.log",
        "DATA_DIR is readable by other users",
        || {},
    );
}

#[test]
fn failed_logins_and_reused_tokens_are_security_events() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        // A level as Python names it.
        program(&folder)
            .env("LOG_LEVEL", "WARNING")
            .env("LOGIN_ATTEMPTS_PER_ACCOUNT", "3"),
    );
    let id = register(&server, "ann");
    let event = |name: &str| {
        let line = line(&folder, "server.log", &format!("event: {name}"), || {});
        let start = line.starts_with("[WARN] ") && line.contains(" colloquy::security ");
        assert!(
            start && line.contains("client.address: 127.0.0.1"),
            "{line}"
        );
        line
    };
    let account = format!("user.id: {id}");

    assert_eq!(log_in(&server, "unknown@example.com", "wrong").0, 401);
    let line = event("login_failed");
    assert!(
        !line.contains("user.id") && !line.contains("unknown@"),
        "{line}"
    );

    let (status, first) = log_in(&server, "ann", PASSWORD);
    assert_eq!(status, 200);
    let (_, second) = refresh(&server, &first);
    let (_, third) = refresh(&server, &second);
    assert_eq!(refresh(&server, &first).0, 401);
    assert!(event("refresh_reused").contains(&account));
    assert_eq!(refresh(&server, &third).0, 401);

    for expected in [401, 401, 401, 429] {
        assert_eq!(log_in(&server, "ann", "wrong").0, expected);
    }
    assert!(event("login_refused").contains(&account));
    assert!(read(&folder, "server.log").contains("event: login_failed, user.id"));
    // Requests are INFO lines.
    assert_eq!(read(&folder, "api.log"), "");
}

#[test]
fn flooding_socket_is_a_security_event() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let (id, other) = (register(&server, "ann"), register(&server, "bob"));
    let (_, login) = log_in(&server, "ann", PASSWORD);
    let token = login["access"].as_str().unwrap();
    let body = json!({"participants": [other]}).to_string();
    let (_, conversation) = server.call("POST", "/api/chat/conversations/", token, &body);
    let mut socket = open_socket(&server, &conversation["id"], token);
    for _ in 0..200 {
        // A text frame with the mask 0 (RFC 6455 §5.2).
        if socket.write_all(b"\x81\x84\0\0\0\0junk").is_err() {
            break;
        }
    }
    let line = line(&folder, "server.log", "event: flood_closed", || {});
    for field in [
        format!("user.id: {id}"),
        format!("conversation.id: {}", conversation["id"]),
        "client.address: 127.0.0.1".to_owned(),
    ] {
        assert!(line.contains(&field), "{field}: {line}");
    }
}

fn open_socket(server: &Server, conversation_id: &Value, token: &str) -> TcpStream {
    let mut socket = server.connect();
    let request = format!(
        "GET /ws/chat/{conversation_id}/?token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    socket
}

#[test]
fn acts_of_operators_are_security_events_in_the_log_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(program(&folder).arg("migrate")).0, Some(0));
    let create_admin = |name: &str| {
        let email = format!("{name}@example.com");
        let (code, _, stderr) = run(program(&folder)
            .args(["create-admin", "--username", name, "--email", &email])
            .env("COLLOQUY_ADMIN_PASSWORD", PASSWORD));
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("event: admin_created"), "{stderr}");
    };
    // Without a server there is no file, and the command creates none: its user may be root.
    create_admin("first");
    assert!(!folder.path().join("logs").exists());
    let server = Server::start(&mut program(&folder));
    create_admin("second");
    line(
        &folder,
        "server.log",
        "event: admin_created, user.id: 2",
        || {},
    );
    let (code, ..) = run(program(&folder).arg("renew-epoch"));
    assert_eq!(code, Some(0));
    line(&folder, "server.log", "event: epoch_renewed", || {});
    drop(server);
}

#[test]
fn settings_that_are_probably_mistaken_are_logged_at_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join(".env"),
        "ALLOWED_HOST=chat.example.com\n",
    )
    .unwrap();
    let _server = Server::start(program(&folder).env("TRUSTED_PROXIES", "0.0.0.0/0"));
    line(
        &folder,
        "server.log",
        "ALLOWED_HOST in .env is no setting; ALLOWED_HOSTS is",
        || {},
    );
    line(
        &folder,
        "server.log",
        "TRUSTED_PROXIES names 0.0.0.0/0",
        || {},
    );
    fs::write(folder.path().join(".env"), "SECRET_KEY=pa$word\n").unwrap();
    let (code, _, stderr) = run(&mut program(&folder));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("$ in line 1") && !stderr.contains("word"),
        "{stderr}"
    );
}
