//! Limits of logins through the whole router: who is refused, delayed or exempt while an account is
//! being guessed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use colloquy_core::auth::{PasswordJob, PasswordOutcome};
use colloquy_core::ports::{HashPriority, Passwords};
use colloquy_proto::domain::Timestamp;
use serde_json::json;

use crate::fakes::NOW;
use crate::server::{PASSWORD, Server, TestResponse};

/// Compares without hashing, and records for whom.
#[derive(Default)]
struct PlainPasswords(Mutex<Vec<HashPriority>>);

#[async_trait]
impl Passwords for PlainPasswords {
    async fn run(&self, job: PasswordJob, priority: HashPriority) -> Option<PasswordOutcome> {
        self.0.lock().unwrap().push(priority);
        Some(match job {
            PasswordJob::Verify { password, .. } if password.reveal() == PASSWORD => {
                PasswordOutcome::Matches { rehashed: None }
            }
            _ => PasswordOutcome::Differs,
        })
    }
}

/// The trusted proxy of the tests passes the client's address on.
const SETTINGS: [(&str, &str); 1] = [("TRUSTED_PROXIES", "192.0.2.1")];

async fn log_in(server: &Server, password: &str, from: &str) -> TestResponse {
    let body = json!({"username": "ann", "password": password}).to_string();
    let request = Request::post("/api/users/login/")
        .header("content-type", "application/json")
        .header("x-forwarded-for", from);
    server.send(request.body(Body::from(body)).unwrap()).await
}

/// Guesses from ever new addresses until the account is refused; returns the number of guesses.
async fn guess_from_everywhere(server: &Server) -> usize {
    let mut guesses = 0;
    for host in 1..250 {
        let from = format!("10.0.0.{host}");
        for turn in 0.. {
            match log_in(server, "not-the-password", &from)
                .await
                .status
                .as_u16()
            {
                401 => guesses += 1,
                429 if turn == 0 => return guesses,
                429 => break,
                other => panic!("{other}"),
            }
        }
    }
    panic!("{guesses} guesses without a limit");
}

#[tokio::test]
async fn owner_at_a_known_device_logs_in_while_the_account_is_guessed_from_everywhere() {
    let passwords = Arc::new(PlainPasswords::default());
    let server = Server::with_passwords(&SETTINGS, passwords.clone()).await;
    assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 200);
    let started = server.clock.0.load(Ordering::Relaxed);
    let guesses = guess_from_everywhere(&server).await;
    assert!((80..=100).contains(&guesses), "{guesses}");
    let slowed_ms = server.clock.0.load(Ordering::Relaxed) - started;
    assert!(slowed_ms >= 60_000, "slowed down by {slowed_ms} ms");

    let unknown = log_in(&server, PASSWORD, "10.8.8.8").await;
    assert_eq!(unknown.code(), "too_many_attempts");
    let wait: i64 = unknown.header("retry-after").parse().unwrap();
    assert!((1..=180).contains(&wait), "{wait}");
    for _ in 0..20 {
        assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 200);
    }
    let priority = *passwords.0.lock().unwrap().last().unwrap();
    assert_eq!(priority, HashPriority::Known);
    // The exemption is not one from the limit of account and address.
    for _ in 0..10 {
        let guess = log_in(&server, "not-the-password", "10.9.9.9").await;
        assert_eq!(guess.status, 401);
    }
    assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 429);
    // The wait is exact.
    server.clock.0.fetch_add(wait * 1_000, Ordering::Relaxed);
    assert_eq!(log_in(&server, PASSWORD, "10.8.8.8").await.status, 200);
}

#[tokio::test]
async fn device_is_unknown_thirty_days_after_its_last_use() {
    let passwords = Arc::new(PlainPasswords::default());
    let server = Server::with_passwords(&SETTINGS, passwords.clone()).await;
    assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 200);
    let used = |ago_ms: i64| {
        let mut devices = server.store.devices.lock().unwrap();
        devices[0].used_at = Timestamp(NOW.0 - ago_ms);
        devices.truncate(1);
    };
    let month_ms = 30 * 86_400_000;
    for (ago_ms, priority) in [
        (month_ms - 1, HashPriority::Known),
        (month_ms, HashPriority::Unknown),
    ] {
        used(ago_ms);
        assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 200);
        assert_eq!(passwords.0.lock().unwrap().last(), Some(&priority));
    }
}

#[tokio::test]
async fn clients_without_an_address_share_a_counter() {
    let passwords = Arc::new(PlainPasswords::default());
    let server = Server::with_passwords(&SETTINGS, passwords).await;
    let guesses = AtomicI64::new(0);
    let guess = async || {
        let body = json!({"username": "ann", "password": "not-the-password"}).to_string();
        let request = Request::post("/api/users/login/").header("content-type", "application/json");
        let request = request.body(Body::from(body)).unwrap();
        guesses.fetch_add(1, Ordering::Relaxed);
        server.send_without_address(request).await.status
    };
    while guess().await == 401 {}
    assert_eq!(guesses.load(Ordering::Relaxed), 11);
    assert_eq!(log_in(&server, PASSWORD, "10.9.9.9").await.status, 200);
}
