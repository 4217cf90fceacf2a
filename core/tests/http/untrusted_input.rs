//! Requests worse than any client makes them, at the whole router.
//!
//! An input is a request as HTTP/1.1 would spell it, less the protocol's name: a line with method
//! and path, headers, a blank line, the body; lines end in `\n` alone. `{access}` and `{refresh}`
//! stand for tokens of Ann's.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use colloquy_core::auth::{PasswordJob, PasswordOutcome};
use colloquy_core::ports::Passwords;
use colloquy_fuzz::Target;
use colloquy_proto::domain::{AppendOutcome, SendOutcome};
use colloquy_proto::protocol::ErrorCode;
use tokio::runtime;

use crate::fakes::stored;
use crate::server::{Answer, Server};

/// The longest refusal, in bytes: it may name fields, and repeats little of what was sent.
const MAX_REFUSAL_BYTES: usize = 8 * 1024;

/// Knows one password, and takes no time.
struct Quick;

#[async_trait]
impl Passwords for Quick {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        Some(match job {
            PasswordJob::Hash { .. } => PasswordOutcome::Hashed("hash".to_owned()),
            PasswordJob::Verify { hash: None, .. } => PasswordOutcome::Differs,
            PasswordJob::Verify { .. } => PasswordOutcome::Matches { rehashed: None },
        })
    }
}

/// Limits of attempts are tried elsewhere; here they would end everything after a few requests.
const SETTINGS: [(&str, &str); 4] = [
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
    let server = runtime.block_on(Server::with_passwords(&SETTINGS, Arc::new(Quick)));
    *server.rooms.outcome.lock().unwrap() =
        Some(SendOutcome::Appended(AppendOutcome::Stored(stored(121))));
    target.run(|input| {
        // Whatever the request before ended stands again.
        server.store.revoked.lock().unwrap().clear();
        server.rooms.sent.lock().unwrap().clear();
        server.rooms.changes.lock().unwrap().clear();
        if let Some(request) = request(input, &server) {
            let bodiless = request.method() == "HEAD";
            let answer = runtime.block_on(server.send(request));
            check(&answer, bodiless);
        }
    });
}

/// The request an input spells; none where no HTTP library would hand it on.
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

/// INVARIANT: whatever is sent, the answer is the protocol's.
fn check(answer: &Answer, bodiless: bool) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{status}: {}", answer.text);
    if status < 400 || bodiless {
        return;
    }
    let length = answer.text.len();
    assert!(length <= MAX_REFUSAL_BYTES, "a refusal of {length} bytes");
    let code = ErrorCode::ALL
        .iter()
        .find(|code| code.as_str() == answer.code());
    let code = code.unwrap_or_else(|| panic!("no code: {}", answer.text));
    assert_eq!(code.status(), status, "{}", answer.text);
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    assert_eq!(answer.header("content-type"), "application/json");
    match status {
        401 => assert_eq!(answer.header("www-authenticate"), "Bearer"),
        405 => assert!(!answer.header("allow").is_empty()),
        429 => assert!(!answer.header("retry-after").is_empty()),
        _ => {}
    }
}
