//! Fuzzing of the whole router with malformed requests.
//!
//! An input is a request in the syntax of HTTP/1.1 without the protocol version: a line with method
//! and path, headers, an empty line, the body; lines end in `\n`. `{access}` and `{refresh}` are
//! replaced by tokens of the user Ann.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use colloquy_core::auth::{PasswordJob, PasswordOutcome};
use colloquy_core::ports::{HashPriority, Passwords};
use colloquy_fuzz::Target;
use colloquy_proto::domain::{AppendOutcome, SendOutcome};
use colloquy_proto::protocol::ErrorCode;
use tokio::runtime;

use crate::fakes::stored;
use crate::server::{Server, TestResponse};

/// The longest error response, in bytes: it names fields and repeats little of the request.
const MAX_ERROR_BYTES: usize = 8 * 1024;

/// Accepts every password of an existing account, without hashing.
struct NoHashing;

#[async_trait]
impl Passwords for NoHashing {
    async fn run(&self, job: PasswordJob, _: HashPriority) -> Option<PasswordOutcome> {
        Some(match job {
            PasswordJob::Hash { .. } => PasswordOutcome::Hashed("hash".to_owned()),
            PasswordJob::Verify { hash: None, .. } => PasswordOutcome::Differs,
            PasswordJob::Verify { .. } => PasswordOutcome::Matches { rehashed: None },
        })
    }
}

/// Without rate limits, which would reject everything after a few requests.
const SETTINGS: [(&str, &str); 5] = [
    ("BUDGET_FACTOR", "0"),
    ("LOGIN_ATTEMPTS_PER_ACCOUNT", "0"),
    ("LOGIN_ATTEMPTS_PER_ADDRESS", "0"),
    ("REGISTRATIONS_PER_ADDRESS", "0"),
    ("CORS_ALLOWED_ORIGINS", "https://chat.example.com"),
];

#[test]
fn requests() {
    let target = Target {
        name: "requests",
        corpus: include_str!("corpus/requests.txt"),
        words: &[
            "GET ",
            "POST ",
            "PUT ",
            "PATCH ",
            "DELETE ",
            "HEAD ",
            "OPTIONS ",
            "/",
            "//",
            "?",
            "&",
            "=",
            "%2f",
            "%00",
            "limit=",
            "cursor=",
            "before=",
            "after=",
            "around=",
            "{access}",
            "{refresh}",
            "authorization: Bearer ",
            "content-type: application/json",
            "\n\n",
            "upgrade: websocket",
            "host: ",
            "content-encoding: ",
            "idempotency-key: ",
            "x-request-id: ",
            "x-forwarded-for: ",
            "origin: ",
            "null",
            "{}",
        ],
        cases: 4_000,
    };
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let server = runtime.block_on(Server::with_passwords(&SETTINGS, Arc::new(NoHashing)));
    *server.rooms.outcome.lock().unwrap() =
        Some(SendOutcome::Appended(AppendOutcome::Stored(stored(121))));
    target.run(|input| {
        // Undo the effects of the previous request.
        server.store.revoked.lock().unwrap().clear();
        server.rooms.sent.lock().unwrap().clear();
        server.rooms.changes.lock().unwrap().clear();
        if let Some(request) = request(input, &server) {
            let without_body = request.method() == "HEAD";
            let response = runtime.block_on(server.send(request));
            check(&response, without_body);
        }
    });
}

/// The request of an input; `None` if the HTTP library would reject it.
fn request(input: &[u8], server: &Server) -> Option<Request<Body>> {
    let access = format!("{{access}}={}", server.token());
    let refresh = format!("{{refresh}}={}", server.refresh_token(0));
    let mut input = input.to_vec();
    for pair in [access, refresh] {
        let (name, token) = pair.split_once('=')?;
        input = replaced(&input, name.as_bytes(), token.as_bytes());
    }
    let (head, body) = match find(&input, b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (&input[..], &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = find(first, b" ")?;
    let mut request = Request::builder()
        .method(&first[..space])
        .uri(&first[space + 1..]);
    for line in lines {
        let colon = find(line, b":")?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(Body::from(body.to_vec())).ok()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    match find(text, old) {
        None => text.to_vec(),
        Some(at) => [
            &text[..at],
            new,
            &replaced(&text[at + old.len()..], old, new),
        ]
        .concat(),
    }
}

/// INVARIANT: every request gets a response of the protocol.
fn check(response: &TestResponse, without_body: bool) {
    let status = response.status.as_u16();
    assert!(status < 500, "{status}: {}", response.text);
    if status < 400 || without_body {
        return;
    }
    let length = response.text.len();
    assert!(length <= MAX_ERROR_BYTES, "an error of {length} bytes");
    let code = ErrorCode::ALL
        .iter()
        .find(|code| code.as_str() == response.code());
    let code = code.unwrap_or_else(|| panic!("no code: {}", response.text));
    assert_eq!(code.status(), status, "{}", response.text);
    assert_eq!(
        response.json()["request_id"],
        response.header("x-request-id")
    );
    assert_eq!(response.header("content-type"), "application/json");
    match status {
        401 => assert_eq!(response.header("www-authenticate"), "Bearer"),
        405 => assert!(!response.header("allow").is_empty()),
        429 => assert!(!response.header("retry-after").is_empty()),
        _ => {}
    }
}
