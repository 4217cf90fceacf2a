use std::sync::Arc;

use async_trait::async_trait;
use axum::routing::get;
use colloquy_core::auth::{PasswordJob, PasswordOutcome, Tokens};
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::{Secret, Settings};
use colloquy_core::counters::InProcessCounters;
use colloquy_core::ports::{Cache, Clock, HashPriority, Passwords};
use colloquy_core::service::{Ports, Services};
use colloquy_proto::domain::Seconds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::app::open_database;
use crate::clock::{SystemClock, SystemRng, TokioTimer};
use crate::rooms::LocalRooms;

const SHORT: Duration = Duration::from_millis(100);

/// Far beyond what a test takes.
const LONG: Duration = Duration::from_mins(1);

const LIVE: &str = "GET /health/live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const LOGIN: &str = r#"{"username":"ann","password":"x"}"#;

/// More than the kernel takes from a server whose client does not read.
const LARGE: usize = 32 * 1024 * 1024;

/// Every deadline far away; a test shortens the one it is about.
const PATIENT: ConnectionTimeouts = ConnectionTimeouts {
    headers: LONG,
    body: LONG,
    body_progress: LONG,
    handler: LONG,
    write_stall: LONG,
    write_stall_under_pressure: LONG,
    keep_alive: LONG,
    keep_alive_under_pressure: LONG,
    grace: LONG,
};

/// Never ends.
struct StuckPasswords;

#[async_trait]
impl Passwords for StuckPasswords {
    async fn run(&self, _: PasswordJob, _: HashPriority) -> Option<PasswordOutcome> {
        std::future::pending().await
    }
}

/// The routes over an empty database in memory, and one with a large response.
async fn router() -> Router {
    let lookup = |name: &str| (name == "DATABASE_URL").then(|| "sqlite::memory:".to_owned());
    let settings = Arc::new(Settings::read(lookup).unwrap());
    let store = open_database(&settings).await.unwrap().store();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let cache: Arc<dyn Cache> = Arc::new(InProcess::new(Arc::clone(&clock), 1 << 20));
    let recent = Arc::new(RecentHistory::new(Arc::clone(&cache), Arc::clone(&clock)));
    let secret = Secret::new("a key for nothing but this test, 32 bytes");
    let tokens = Arc::new(Tokens::new(&secret, &[], Seconds(900), Seconds(9_000)));
    let rooms = LocalRooms::new(
        Arc::clone(&store),
        Arc::clone(&recent),
        Arc::clone(&tokens),
        Arc::clone(&clock),
        0,
        1,
    );
    let ports = Ports {
        store,
        cache,
        counters: Arc::new(InProcessCounters::new(Arc::clone(&clock), 1_000)),
        rooms: Arc::new(rooms),
        passwords: Arc::new(StuckPasswords),
        clock,
        rng: Arc::new(SystemRng),
        timer: Arc::new(TokioTimer),
    };
    let services = Services::new(ports, recent, tokens, settings.attempts, settings.members);
    let app = colloquy_core::http::App::new(settings, Arc::new(services));
    colloquy_core::http::router(app).route("/large", get(async || vec![b'x'; LARGE]))
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<bool>,
}

impl Server {
    async fn start(timeouts: ConnectionTimeouts, total: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits::derive((total, total), &[], None, 1);
        let (stop, stopped) = oneshot::channel();
        let stop_when = Stop {
            signal: async { drop(stopped.await) },
            drain: async {},
            within: LONG,
        };
        let running = tokio::spawn(serve(
            listener,
            router().await,
            (limits, timeouts),
            stop_when,
        ));
        Self {
            address,
            stop,
            running,
        }
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // Fails when the server has closed the connection already, which the caller finds by reading.
        drop(stream.write_all(request.as_bytes()).await);
        stream
    }

    /// Everything the server sends until it closes the connection.
    async fn exchange(&self, request: &str) -> String {
        let stream = self.send(request).await;
        read_to_end(stream).await
    }

    /// Waits until the server has closed its only connection.
    async fn accepts_again(&self) {
        while !self.exchange(LIVE).await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(SHORT / 10).await;
        }
    }
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    // A reset also ends the connection.
    drop(
        timeout(LONG, stream.read_to_end(&mut received))
            .await
            .expect("the end"),
    );
    String::from_utf8(received).unwrap()
}

fn post(length: usize, body: &str) -> String {
    format!(
        "POST /api/users/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn half_sent_bodies_are_answered_with_408() {
    let timeouts = ConnectionTimeouts {
        body_progress: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 100).await;
    for body in ["", "{"] {
        let response = server.exchange(&post(9, body)).await;
        assert!(response.starts_with("HTTP/1.1 408"), "{response}");
        assert!(
            response.contains("\"code\":\"request_timeout\""),
            "{response}"
        );
        assert!(response.contains("connection: close"), "{response}");
    }
}

#[tokio::test]
async fn unfinished_headers_end_the_connection() {
    let timeouts = ConnectionTimeouts {
        headers: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 100).await;
    let half = "GET /health/live/ HTTP/1.1\r\nHost: local";
    assert_eq!(server.exchange(half).await, "");
    // The next request of a connection too.
    let mut stream = server.send(&LIVE.replace("close", "keep-alive")).await;
    let mut response = [0; 4_096];
    let count = stream.read(&mut response).await.unwrap();
    assert!(response[..count].starts_with(b"HTTP/1.1 200"));
    stream.write_all(half.as_bytes()).await.unwrap();
    assert_eq!(read_to_end(stream).await, "");
}

#[tokio::test]
async fn idle_connection_is_closed_after_the_keep_alive_time() {
    let timeouts = ConnectionTimeouts {
        keep_alive: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 100).await;
    assert_eq!(server.exchange("").await, "");
    let response = server.exchange(&LIVE.replace("close", "keep-alive")).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn handler_that_takes_too_long_is_answered_with_503() {
    let timeouts = ConnectionTimeouts {
        handler: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 100).await;
    let mut stream = server.send(&post(LOGIN.len(), LOGIN)).await;
    let mut received = [0; 4_096];
    let count = stream.read(&mut received).await.unwrap();
    let response = String::from_utf8_lossy(&received[..count]).into_owned();
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.contains("retry-after: 2"), "{response}");
    // The connection goes on.
    stream.write_all(LIVE.as_bytes()).await.unwrap();
    assert!(read_to_end(stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn client_that_does_not_read_its_response_is_disconnected() {
    let timeouts = ConnectionTimeouts {
        write_stall: 2 * SHORT,
        write_stall_under_pressure: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 1).await;
    let request = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let unread = server.send(request).await;
    server.accepts_again().await;
    assert!(read_to_end(unread).await.len() < LARGE);
    // One that reads, however large the response, is not.
    let stream = server
        .send(&request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
        .await;
    assert!(read_to_end(stream).await.len() > LARGE);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_sockets_count() {
    let server = Server::start(PATIENT, 1).await;
    let idle = server.send("").await;
    let refused = server.exchange(LIVE).await;
    // The client may find the connection reset instead.
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 503"),
        "{refused}"
    );
    drop(idle);
    server.accepts_again().await;
    let handshake = "GET /ws/chat/1/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut socket = server.send(handshake).await;
    let mut first = [0; 12];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 101");
    assert!(!server.exchange(LIVE).await.starts_with("HTTP/1.1 200"));
    drop(socket);
    server.accepts_again().await;
}

#[tokio::test]
async fn half_sent_requests_do_not_delay_the_shutdown() {
    let timeouts = ConnectionTimeouts {
        grace: SHORT,
        ..PATIENT
    };
    let server = Server::start(timeouts, 100).await;
    let headers = server.send("GET /health/live/ HTTP/1.1\r\n").await;
    let body = server.send(&post(9, "{")).await;
    // A response shows that the server has read what came before.
    server.exchange(LIVE).await;
    server.stop.send(()).unwrap();
    assert!(read_to_end(body).await.starts_with("HTTP/1.1 408"));
    assert_eq!(read_to_end(headers).await, "");
    let finished = timeout(LONG / 2, server.running).await;
    assert!(finished.expect("the end").unwrap());
}
