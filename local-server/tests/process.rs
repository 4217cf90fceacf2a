//! The binary as a process: exit codes, messages, files and shutdown.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

#[path = "support/process.rs"]
mod support;

use support::{Server, program, run};

const REGISTER: &str =
    r#"{"username":"ann","email":"ann@example.com","password":"Hidden-Pass-77"}"#;
const LIVE: &str = "GET /health/live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn all_invalid_settings_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join(".env"),
        "PORT=many\nDATABASE_URL=postgres://u:hidden@h/d\n",
    )
    .unwrap();
    let (code, stdout, stderr) = run(program(&folder)
        .env("LOG_FORMAT", "xml")
        .env("MIGRATE_ON_START", "maybe"));
    assert_eq!(code, Some(2));
    for name in ["PORT", "LOG_FORMAT", "MIGRATE_ON_START", "SECRET_KEY"] {
        assert!(stderr.contains(&format!("  - {name} ")), "{name}: {stderr}");
    }
    assert!(stdout.is_empty() && !stderr.contains("hidden"));
    let (code, _, stderr) =
        run(program(&folder).envs([("PORT", "0"), ("DATABASE_URL", ""), ("LOG_LEVEL", "a=b=c")]));
    assert_eq!(
        (code, stderr.contains("LOG_LEVEL")),
        (Some(2), true),
        "{stderr}"
    );
}

#[test]
fn port_in_use_is_reported_before_any_file_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupied.local_addr().unwrap().port().to_string();
    let (code, _, stderr) = run(program(&folder).env("PORT", &port));
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains(&port) && stderr.contains("PORT"),
        "{stderr}"
    );
    assert!(!folder.path().join("data/colloquy.sqlite3").exists());
}

#[test]
fn command_line_has_help_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = run(program(&folder).arg("--help"));
    assert_eq!(code, Some(0));
    for command in [
        "serve",
        "migrate",
        "create-admin",
        "renew-epoch",
        "backup",
        "restore",
        "healthcheck",
    ] {
        assert!(stdout.contains(command), "{command}");
    }
    let (code, stdout, _) = run(program(&folder).arg("--version"));
    assert_eq!(
        (code, stdout.trim()),
        (
            Some(0),
            concat!("colloquy-local-server ", env!("CARGO_PKG_VERSION"))
        )
    );
    assert_eq!(run(program(&folder).arg("dance")).0, Some(2));
}

#[test]
fn server_runs_without_settings_and_shuts_down_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let server = Server::start(&mut program(&folder));
    assert!(started.elapsed() < Duration::from_secs(5));
    let (host, port) = (
        server.address.ip().to_string(),
        server.address.port().to_string(),
    );
    let (code, ..) = run(program(&folder)
        .arg("healthcheck")
        .env("HOST", host)
        .env("PORT", &port));
    assert_eq!(code, Some(0));
    assert!(
        server
            .post("/api/users/register/", "", REGISTER)
            .starts_with("HTTP/1.1 201")
    );
    server.signal("TERM");
    let address = server.address;
    let (code, printed) = server.wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("curl") && printed.contains("graceful shutdown complete"),
        "{printed}"
    );
    assert!(TcpStream::connect(address).is_err());
    // SQLite's WAL was checkpointed: one file is the whole database.
    assert!(!folder.path().join("data/colloquy.sqlite3-wal").exists());
    let (code, _, stderr) = run(program(&folder).arg("healthcheck").env("PORT", &port));
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn shutdown_answers_open_requests_and_accepts_no_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let mut slow = server.connect();
    let head = format!(
        "POST /api/users/register/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        REGISTER.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    // An idle keep-alive connection is closed at once. Its response shows that the slow request
    // has been read too.
    let mut idle = server.connect();
    idle.write_all(b"GET /health/live/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(idle.read(&mut [0; 1_024]).unwrap() > 0);
    std::thread::sleep(Duration::from_millis(100));
    server.signal("INT");
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0);
    assert!(TcpStream::connect(server.address).is_err());
    slow.write_all(REGISTER.as_bytes()).unwrap();
    let mut response = String::new();
    slow.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn shutdown_deadline_aborts_requests_and_a_second_signal_exits_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for (signals, limit, code) in [(1, "1", 0), (2, "60", 130)] {
        let server = Server::start(program(&folder).env("SHUTDOWN_SECONDS", limit));
        let mut endless = server.connect();
        endless.write_all(b"POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let signalled = Instant::now();
        for _ in 0..signals {
            server.signal("TERM");
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(server.wait().0, Some(code));
        assert!(signalled.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn oversized_headers_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut program(&folder));
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    assert!(server.request(&long).starts_with("HTTP/1.1 431"));
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X-Many: x\r\n".repeat(500)
    );
    assert!(server.request(&many).starts_with("HTTP/1.1 431"));
    assert!(server.request(LIVE).starts_with("HTTP/1.1 200"));
}

/// A server whose limits of open files are set by this shell command.
fn limited(folder: &tempfile::TempDir, ulimit: &str) -> Server {
    let mut limited = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_colloquy-local-server");
    limited.args(["-c", &format!("{ulimit} && exec \"$0\""), program]);
    limited.current_dir(folder.path()).env_remove("HOST");
    Server::start(&mut limited)
}

/// The response to [`LIVE`] of a server that may close the connection instead.
fn attempt(server: &Server) -> String {
    let mut stream = server.connect();
    drop(stream.write_all(LIVE.as_bytes()));
    let mut response = String::new();
    drop(stream.read_to_string(&mut response));
    response
}

#[test]
fn connections_are_limited_below_the_limit_of_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let server = limited(&folder, "ulimit -n 48");
    let half = "POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    let connections: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            // A refused connection may be closed already.
            drop(stream.write_all(half.as_bytes()));
            stream
        })
        .collect();
    // The last one is accepted after all others.
    let mut end = String::new();
    drop((&connections[99]).read_to_string(&mut end));
    assert!(
        end.is_empty() || end.contains("\"overloaded\""),
        "the connection was not refused: {end}"
    );
    drop(connections);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !attempt(&server).starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "no connection is accepted");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.signal("TERM");
    let (code, printed) = server.wait();
    assert_eq!(code, Some(0));
    let refused = printed.matches("connections refused").count();
    assert!((1..=2).contains(&refused), "{printed}");
    assert!(!printed.contains("accept failed"), "{printed}");
}

#[test]
fn soft_limit_of_open_files_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let server = limited(&folder, "ulimit -S -n 48");
    let connections: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    assert!(server.request(LIVE).starts_with("HTTP/1.1 200"));
    drop(connections);
    server.signal("TERM");
    let (_, printed) = server.wait();
    assert!(printed.contains("limit of open files raised"), "{printed}");
}

#[test]
fn secrets_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let key = "a-secret-key-that-must-not-be-logged-01234567";
    let server = Server::start(
        program(&folder)
            .env("SECRET_KEY", key)
            .env("LOG_LEVEL", "trace"),
    );
    server.post("/api/users/register/", "", REGISTER);
    let login = server.post("/api/users/login/", "", REGISTER);
    let token = |name: &str| {
        let rest = login
            .split(&format!("\"{name}\":\""))
            .nth(1)
            .expect("a token");
        rest.split('"').next().expect("its end").to_owned()
    };
    let (access, refresh) = (token("access"), token("refresh"));
    let bearer = format!("Authorization: Bearer {access}\r\nX-Request-Id: follow-me\r\n");
    server.post(
        "/api/users/token/refresh/",
        &bearer,
        &format!(r#"{{"refresh":"{refresh}"}}"#),
    );
    server.request(&format!(
        "GET /ws/chat/1/?token={access} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ));
    server.request("GET /api/%0a[ERROR]forged/?password=Other-Pass-88 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    server.signal("TERM");
    let (_, mut logged) = server.wait();
    for name in ["server.log", "api.log"] {
        logged += &fs::read_to_string(folder.path().join("logs").join(name)).expect("a log file");
    }
    assert!(logged.contains("request.id: follow-me"));
    assert!(logged.contains("client.address: 127.0.0.1"));
    let parts: Vec<&str> = access.split('.').chain(refresh.split('.')).collect();
    // The last part of a token is its signature; the first is the same for all tokens.
    let secrets = [
        key,
        "Hidden-Pass-77",
        &access,
        &refresh,
        parts[2],
        parts[5],
        "ann@example.com",
    ];
    for secret in secrets
        .into_iter()
        .chain(["Other-Pass-88", "[ERROR]forged"])
    {
        assert!(!logged.contains(secret), "{secret} was logged");
    }
}

#[test]
fn operator_commands_need_an_existing_database() {
    let folder = tempfile::tempdir().unwrap();
    let admin = [
        "create-admin",
        "--username",
        "root",
        "--email",
        "r@example.com",
    ];
    for arguments in [&admin[..], &["renew-epoch"], &["backup", "copy.sqlite3"]] {
        let (code, stdout, stderr) = run(program(&folder)
            .args(arguments)
            .env("COLLOQUY_ADMIN_PASSWORD", "StrongPass123!"));
        assert_eq!(code, Some(1), "{arguments:?}: {stdout}");
        assert!(
            stderr.contains("there is no database data/colloquy.sqlite3")
                && stderr.contains("DATA_DIR"),
            "{stderr}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn operator_commands_migrate_create_an_administrator_and_renew_the_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(program(&folder).arg("migrate"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("up to date"));
    let admin = |name: &str, password: &str| {
        let email = format!("{name}@example.com");
        run(program(&folder)
            .args(["create-admin", "--username", name, "--email", &email])
            .env("COLLOQUY_ADMIN_PASSWORD", password))
    };
    let (code, stdout, stderr) = admin("root", "StrongPass123!");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("root is an administrator"));
    let (code, _, stderr) = admin("root", "StrongPass123!");
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "error: the username is taken\n")
    );
    let (code, _, stderr) = admin("no spaces", "12345");
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("- username:") && stderr.contains("- password:"),
        "{stderr}"
    );
    let (code, stdout, stderr) = run(program(&folder).arg("renew-epoch"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("epoch"));
}
