//! What all clients share: connections to the servers, the phase of the run, retries and recording.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::accounts::{Api, Credentials, RESPONSE_TIMEOUT, Response, User};
use crate::client_log::{ClientKind, ConversationKey, Log, LogEntry, REVOKED};
use crate::frame;
use crate::message_key::MessageKey;

/// A socket that is silent for this long is given up. Longer than any injected freeze of a server.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The upper limit of the average backoff between failed attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// The phase of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients send.
    Running,
    /// Clients send nothing new and finish when everything is acknowledged.
    Settling,
    /// Every client has caught up.
    Over,
}

pub(crate) type Stream = WebSocketStream<TcpStream>;

/// What a socket delivered: a text frame, or its close.
pub(crate) enum Incoming {
    Text(String),
    Closed(u16, String),
}

/// The load a client generates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// The average pause between two messages.
    pub(crate) pause: Duration,
    /// The largest number of unacknowledged messages.
    pub(crate) window: usize,
    /// Whether it fills its window at once on a burst request.
    pub(crate) bursts: bool,
    /// Whether it logs out now and then and logs in again.
    pub(crate) logs_out: bool,
}

/// One client: its user, its log and its random numbers.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) index: u32,
    pub(crate) kind: ClientKind,
    pub(crate) user: Arc<User>,
    pub(crate) conversation: ConversationKey,
    pub(crate) api: Api,
    pub(crate) behaviour: Behaviour,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Counts the burst requests.
    pub(crate) burst_requests: watch::Receiver<u64>,
    pub(crate) log: Arc<Mutex<Log>>,
    /// Receives a sample of the deliveries.
    pub(crate) probe: mpsc::Sender<(ConversationKey, LogEntry)>,
    pub(crate) rng: Rng,
    pub(crate) next_number: u32,
    /// The credentials of the last socket, and when it was requested.
    pub(crate) credentials: Credentials,
    pub(crate) requested_at: Instant,
    /// Consecutive failed attempts.
    pub(crate) failures: u32,
}

impl Client {
    pub(crate) fn record(&self, entry: LogEntry) {
        self.with_log(|log| log.record(entry));
    }

    pub(crate) fn with_log<T>(&self, write: impl FnOnce(&mut Log) -> T) -> T {
        write(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Waits for `pause`, but at most until the settling phase.
    pub(crate) async fn rest(&mut self, pause: Duration) {
        let settling = self.phase.wait_for(|phase| *phase != Phase::Running);
        // The pause may end early or in full.
        let _ = timeout(pause, settling).await;
    }

    pub(crate) fn new_key(&mut self) -> MessageKey {
        self.next_number += 1;
        MessageKey {
            client: self.index,
            number: self.next_number,
        }
    }

    /// A random pause around the average, so that clients do not act in step.
    pub(crate) fn jitter(&mut self, average: Duration) -> Duration {
        average.mul_f64(self.rng.f64() * 1.5 + 0.25)
    }

    /// The exponential backoff after a failed attempt: `average` after the first failure, doubled with
    /// each further one, so that an overloaded server can recover.
    pub(crate) fn backoff(&mut self, average: Duration) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.jitter(average.saturating_mul(factor).min(MAX_BACKOFF))
    }

    /// Resets the backoff.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Records a received event. An event that differs from what was sent is a violation.
    pub(crate) fn record_event(&mut self, event: Result<LogEntry, String>) -> Option<LogEntry> {
        match event {
            Ok(entry) => {
                self.record(entry);
                if self.rng.u32(0..50) == 0 {
                    // A probe with a full queue skips the event.
                    let _ = self.probe.try_send((self.conversation, entry));
                }
                Some(entry)
            }
            Err(violation) => {
                self.with_log(|log| log.violation(violation));
                None
            }
        }
    }

    /// The same client for a second task, with random numbers of its own.
    pub(crate) fn fork(&mut self) -> Self {
        let rng = Rng::with_seed(self.rng.u64(..));
        Self {
            rng,
            ..self.clone()
        }
    }

    /// Records an open socket; a v2 socket received `hello` with this `seq`.
    pub(crate) fn opened(&self, hello_seq: Option<u64>) {
        self.record(LogEntry::Opened {
            hello_seq,
            established_at: Instant::now(),
            requested_at: self.requested_at,
            session: self.credentials.session,
        });
    }

    /// Opens a socket through the proxy.
    pub(crate) async fn open(&mut self, v2: bool) -> Result<Stream> {
        self.credentials = self.user.credentials().await;
        self.requested_at = Instant::now();
        let (address, id, token) = (
            self.api.address(),
            self.conversation.id,
            &self.credentials.token,
        );
        let url = format!("ws://{address}/ws/chat/{id}/?token={token}");
        let mut request = url.into_client_request()?;
        if v2 {
            let protocol = HeaderValue::from_static("chat.v2");
            request
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
        }
        let opening = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            anyhow::Ok(client_async(request, stream).await?.0)
        };
        timeout(RESPONSE_TIMEOUT, opening)
            .await
            .context("no upgrade")?
    }

    /// Records the close of a socket and follows its code; returns the pause before a reconnect.
    pub(crate) async fn ended(&mut self, code: u16, reason: &str) -> Duration {
        self.with_log(|log| log.closed(code, reason));
        let session = self.credentials.session;
        if code == REVOKED.0 {
            self.session_refused(session);
        }
        if code == 4200 || code == REVOKED.0 {
            let expired = &self.credentials.token;
            if self.user.renew(&self.api, expired).await.is_err() {
                // The next socket is closed with the same code, and the renewal is tried again.
                return self.backoff(Duration::from_secs(1));
            }
        }
        let after_ms = reason.split_once("after_ms=");
        let after_ms = after_ms.and_then(|(_, rest)| {
            let digits = rest.split(|one: char| !one.is_ascii_digit()).next();
            digits?.parse().ok()
        });
        Duration::from_millis(after_ms.unwrap_or(0)) + self.backoff(Duration::from_millis(150))
    }

    /// Reads the whole history until it reaches `head`.
    pub(crate) async fn catch_up(&mut self, head: u64) {
        let mut loaded = 0;
        while loaded < head {
            match self.load(loaded).await {
                Ok(number) if number >= head => loaded = number,
                _ => sleep(self.backoff(Duration::from_millis(300))).await,
            }
        }
    }

    /// Loads everything after `number` over REST; returns the last number.
    pub(crate) async fn load(&mut self, mut number: u64) -> Result<u64> {
        loop {
            let path = format!(
                "/api/chat/conversations/{}/messages/?after={number}&limit=100",
                self.conversation.id
            );
            let page = self.get(&path).await?;
            let messages = page["messages"]
                .as_array()
                .context("history page without messages")?;
            for message in messages {
                match frame::history_message(message) {
                    Ok(event) => {
                        number = number.max(event.number);
                        self.record(LogEntry::HistoryRead(event));
                    }
                    Err(violation) => self.with_log(|log| log.violation(violation)),
                }
            }
            if page["next_after"].is_null() || messages.is_empty() {
                return Ok(number);
            }
        }
    }

    /// Sends a request once. On any status but the accepted ones, returns the pause before the next
    /// attempt. Neither a missing response nor most error responses prove that nothing was done.
    pub(crate) async fn attempt(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        good: &[u16],
    ) -> Result<Response, Duration> {
        let Credentials { token, session } = self.user.credentials().await;
        let requested_at = Instant::now();
        let wait = match self.api.request(method, path, Some(&token), body).await {
            Err(_) => self.backoff(Duration::from_millis(250)),
            Ok(response) if good.contains(&response.status) => {
                self.record(LogEntry::RequestAccepted {
                    session,
                    requested_at,
                });
                self.succeeded();
                return Ok(response);
            }
            Ok(response) if response.status == 401 => {
                self.unauthorized(&response, session);
                match self.user.renew(&self.api, &token).await {
                    Ok(()) => Duration::ZERO,
                    Err(_) => self.backoff(Duration::from_secs(1)),
                }
            }
            Ok(response) => {
                self.refused(&response.body);
                match response.body["retry_after_ms"].as_u64() {
                    Some(retry_after_ms) => Duration::from_millis(retry_after_ms),
                    None => self.backoff(Duration::from_millis(250)),
                }
            }
        };
        Err(wait + self.jitter(Duration::from_millis(50)))
    }

    /// Gets a page, once.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let credentials = self.user.credentials().await;
        let response = self.get_with(&credentials, path).await?;
        match response.status {
            200 => {
                self.succeeded();
                Ok(response.body)
            }
            401 => {
                let Credentials { token, .. } = credentials;
                self.user.renew(&self.api, &token).await?;
                bail!("the access token has expired")
            }
            status => {
                self.refused(&response.body);
                bail!("{path} answered {status}")
            }
        }
    }

    /// Gets a page, once, with this token, valid or not; returns any response.
    pub(crate) async fn get_with(&self, credentials: &Credentials, path: &str) -> Result<Response> {
        let requested_at = Instant::now();
        let token = Some(credentials.token.as_str());
        let response = self.api.request(Method::GET, path, token, None).await?;
        let session = credentials.session;
        match response.status {
            200 => self.record(LogEntry::RequestAccepted {
                session,
                requested_at,
            }),
            401 => self.unauthorized(&response, session),
            _ => {}
        }
        Ok(response)
    }

    /// Records a refused token, expired or revoked.
    fn unauthorized(&self, response: &Response, session: u32) {
        if response.is_revoked() {
            self.session_refused(session);
        }
    }

    /// Records that this session was reported as revoked.
    fn session_refused(&self, session: u32) {
        let at = Instant::now();
        self.record(LogEntry::SessionRefused { session, at });
    }

    /// Records a REST error response.
    pub(crate) fn refused(&self, body: &Value) {
        let code = body["code"].as_str().unwrap_or("none");
        // Only these are retryable (docs/protocol.md, the table of errors).
        let codes = [
            "throttled",
            "too_many_attempts",
            "internal",
            "unavailable",
            "overloaded",
        ];
        self.with_log(|log| log.refused(code, codes.contains(&code)));
    }
}

/// Classifies the next item of a socket.
pub(crate) fn incoming(message: Option<Result<Message, Error>>) -> Option<Incoming> {
    match message {
        Some(Ok(Message::Text(text))) => Some(Incoming::Text(text.as_str().to_owned())),
        Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
            Some(Incoming::Closed(code.into(), reason.as_str().to_owned()))
        }
        // A close frame without a code (RFC 6455 §7.1.5).
        Some(Ok(Message::Close(None))) => Some(Incoming::Closed(1005, String::new())),
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(Incoming::Closed(1006, error.to_string())),
        None => Some(Incoming::Closed(1006, String::new())),
    }
}
