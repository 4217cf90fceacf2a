//! A private Redis and a proxy over it, both stopped when the test ends.
//!
//! Tests share nothing: each Redis has its own port and directory and writes nothing to disk.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "a-token-for-tests";

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_colloquy-redis-http");

/// A private `redis-server`.
pub(crate) struct Redis {
    port: u16,
    directory: TempDir,
    process: Child,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Another process may take the free port before Redis does.
        for _ in 0..10 {
            let port = free_port();
            let mut process = spawn_redis(port, &directory);
            if answers(&mut process, port) {
                return Self {
                    port,
                    directory,
                    process,
                };
            }
        }
        panic!("redis-server does not start");
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(&mut self) {
        end(&mut self.process);
    }

    /// Restarts it, empty, on the same port.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = spawn_redis(self.port, &self.directory);
        assert!(
            answers(&mut self.process, self.port),
            "redis-server does not restart"
        );
    }

    /// Sends a signal by name: `STOP` makes it hang, `CONT` resumes it.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Requires a password from new connections.
    pub(crate) fn require_password(&self, password: &str) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("Redis");
        let command = format!("CONFIG SET requirepass {password}\r\n");
        stream.write_all(command.as_bytes()).expect("sent");
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"+OK");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// The proxy's binary, listening.
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) process: Child,
    log: tempfile::NamedTempFile,
    http: reqwest::Client,
}

impl Proxy {
    pub(crate) fn start(redis: &Redis) -> Self {
        Self::over(&redis.url())
    }

    pub(crate) fn over(redis_url: &str) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a log file");
        let mut process = Command::new(BINARY)
            .env_clear()
            .envs([
                ("REDIS_URL", redis_url),
                ("REDIS_HTTP_TOKEN", TOKEN),
                ("PORT", "0"),
            ])
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("the log file"))
            .spawn()
            .expect("the proxy starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line
            .strip_prefix("redis-http listening on ")
            .expect("the listening line");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            url: url.trim().to_owned(),
            process,
            log,
            http,
        }
    }

    /// A request with the token; a test may change it before sending.
    pub(crate) fn post(&self, path: &str, body: impl Into<String>) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.url);
        self.http.post(url).bearer_auth(TOKEN).body(body.into())
    }

    /// Sends a body and reads status and JSON.
    pub(crate) async fn call(&self, path: &str, body: impl Into<String>) -> (u16, Value) {
        answer(self.post(path, body)).await
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let mut file = File::open(self.log.path()).expect("the log");
        file.read_to_string(&mut text).expect("text");
        text
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("a response");
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").cloned();
    let body = response.text().await.expect("a body");
    assert_eq!(
        content_type.expect("a content type"),
        "application/json",
        "{body}"
    );
    (status, serde_json::from_str(&body).expect("json"))
}

fn spawn_redis(port: u16, directory: &TempDir) -> Child {
    let binary = std::env::var("COLLOQUY_REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
    let spawned = Command::new(&binary)
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .arg("--dir")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    match spawned {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "no redis-server: these tests need one, run them through `cargo xtask test`, or name \
             the binary in COLLOQUY_REDIS_SERVER"
        ),
        Err(error) => panic!("cannot start redis-server: {error}"),
    }
}

/// Waits for `PONG`; false if the process exits instead.
fn answers(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if process.try_wait().expect("a status").is_some() {
            return false;
        }
        if ping(port).unwrap_or(false) {
            return true;
        }
        sleep(Duration::from_millis(10));
    }
    false
}

fn ping(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), process.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success(), "cannot send {name}");
}

fn end(process: &mut Child) {
    // Both fail only for a process that has exited already.
    let _ = process.kill();
    let _ = process.wait();
}
