//! What all clients share: the ways to the servers, how far the run is, and what they do alike.

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

use crate::frame;
use crate::key::Key;
use crate::log::{Entry, Log, Manner, REVOKED, Room};
use crate::people::{ANSWER, Answer, Api, Pass, Person};

/// Up to here nothing was heard: the line is given up. Above what a server needs that is frozen.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// The longest average pause between attempts that fail one after the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Send.
    Running,
    /// Send nothing new; end when nothing is left to be acknowledged.
    Settling,
    /// Everyone has everything.
    Over,
}

pub(crate) type Stream = WebSocketStream<TcpStream>;

/// What a socket brought: a text, or how it ended.
pub(crate) enum Came {
    Text(String),
    Ended(u16, String),
}

/// How much a client says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Between two messages, on average.
    pub(crate) pause: Duration,
    /// How many messages may wait for their acknowledgement.
    pub(crate) window: usize,
    /// Whether it says all at once, when asked to, what its window holds.
    pub(crate) loud: bool,
    /// Whether it ends its login now and then, and begins another.
    pub(crate) restless: bool,
}

/// One client: who it is, what it was told, how it decides.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) index: u32,
    pub(crate) manner: Manner,
    pub(crate) person: Arc<Person>,
    pub(crate) room: Room,
    pub(crate) api: Api,
    pub(crate) habits: Habits,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Counts how often the loud ones were asked.
    pub(crate) shouts: watch::Receiver<u64>,
    pub(crate) log: Arc<Mutex<Log>>,
    /// Some of what was delivered, for who looks at once whether it is stored.
    pub(crate) witness: mpsc::Sender<(Room, Entry)>,
    pub(crate) rng: Rng,
    pub(crate) next: u32,
    /// What its last socket was asked for with, and when.
    pub(crate) pass: Pass,
    pub(crate) asked: Instant,
    /// How many attempts have failed since the last that went well.
    pub(crate) failed: u32,
}

impl Client {
    pub(crate) fn note(&self, entry: Entry) {
        self.with_log(|log| log.note(entry));
    }

    pub(crate) fn with_log<T>(&self, write: impl FnOnce(&mut Log) -> T) -> T {
        write(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Waits, but no longer than until nothing new is to be sent.
    pub(crate) async fn rest(&mut self, pause: Duration) {
        let settling = self.phase.wait_for(|phase| *phase != Phase::Running);
        // Either is as good as the other.
        let _ = timeout(pause, settling).await;
    }

    pub(crate) fn new_key(&mut self) -> Key {
        self.next += 1;
        Key {
            client: self.index,
            number: self.next,
        }
    }

    /// A pause around the average, so that clients do not march in step.
    pub(crate) fn jitter(&mut self, average: Duration) -> Duration {
        average.mul_f64(self.rng.f64() * 1.5 + 0.25)
    }

    /// How long to wait after an attempt failed: on average this after the first, and twice as long
    /// after each that fails in a row, so that a server that has fallen behind can catch up.
    pub(crate) fn back_off(&mut self, average: Duration) -> Duration {
        let factor = 2_u32.saturating_pow(self.failed);
        self.failed = self.failed.saturating_add(1);
        self.jitter(average.saturating_mul(factor).min(PATIENCE))
    }

    /// An attempt went well.
    pub(crate) fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// Writes an event down as heard. What is not as it was sent is trouble.
    pub(crate) fn hear(&mut self, told: Result<Entry, String>) -> Option<Entry> {
        match told {
            Ok(entry) => {
                self.note(entry);
                if self.rng.u32(0..50) == 0 {
                    // A witness that is busy leaves it out; it ends with the run.
                    let _ = self.witness.try_send((self.room, entry));
                }
                Some(entry)
            }
            Err(trouble) => {
                self.with_log(|log| log.trouble(trouble));
                None
            }
        }
    }

    /// The same client for what it does beside its chat, with chance of its own.
    pub(crate) fn beside(&mut self) -> Self {
        let rng = Rng::with_seed(self.rng.u64(..));
        Self {
            rng,
            ..self.clone()
        }
    }

    /// A socket is open.
    pub(crate) fn opened(&self, at: Option<u64>) {
        self.note(Entry::Opened {
            at,
            came: Instant::now(),
            asked: self.asked,
            login: self.pass.login,
        });
    }

    /// Opens a socket along the line.
    pub(crate) async fn open(&mut self, v2: bool) -> Result<Stream> {
        self.pass = self.person.pass().await;
        self.asked = Instant::now();
        let (address, id, token) = (self.api.address(), self.room.id, &self.pass.token);
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
        timeout(ANSWER, opening).await.context("no upgrade")?
    }

    /// After a socket ended: what the code asks for. How long to stay away.
    pub(crate) async fn ended(&mut self, code: u16, reason: &str) -> Duration {
        self.with_log(|log| log.closed(code, reason));
        let login = self.pass.login;
        if code == REVOKED.0 {
            self.denied(login);
        }
        if code == 4200 || code == REVOKED.0 {
            let over = &self.pass.token;
            if self.person.renew(&self.api, over).await.is_err() {
                // Tried again when the next socket is told the same.
                return self.back_off(Duration::from_secs(1));
            }
        }
        let asked = reason.split_once("after_ms=");
        let asked = asked.and_then(|(_, rest)| {
            let digits = rest.split(|one: char| !one.is_ascii_digit()).next();
            digits?.parse().ok()
        });
        Duration::from_millis(asked.unwrap_or(0)) + self.back_off(Duration::from_millis(150))
    }

    /// Reads the whole history, which must have everything, until it does.
    pub(crate) async fn catch_up(&mut self, head: u64) {
        let mut have = 0;
        while have < head {
            match self.load(have).await {
                Ok(number) if number >= head => have = number,
                _ => sleep(self.back_off(Duration::from_millis(300))).await,
            }
        }
    }

    /// Loads everything after `number` over REST, to its end; the last number of it.
    pub(crate) async fn load(&mut self, mut number: u64) -> Result<u64> {
        loop {
            let path = format!(
                "/api/chat/conversations/{}/messages/?after={number}&limit=100",
                self.room.id
            );
            let page = self.get(&path).await?;
            let messages = page["messages"]
                .as_array()
                .context("a page without messages")?;
            for message in messages {
                match frame::of_history(message) {
                    Ok(event) => {
                        number = number.max(event.number);
                        self.note(Entry::Loaded(event));
                    }
                    Err(trouble) => self.with_log(|log| log.trouble(trouble)),
                }
            }
            if page["next_after"].is_null() || messages.is_empty() {
                return Ok(number);
            }
        }
    }

    /// Asks once. Without one of these answers: how long to wait before the next attempt. No answer
    /// is not a failure, and of most others neither is certain that nothing was done.
    pub(crate) async fn attempt(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        good: &[u16],
    ) -> Result<Answer, Duration> {
        let Pass { token, login } = self.person.pass().await;
        let asked = Instant::now();
        let wait = match self.api.ask(method, path, Some(&token), body).await {
            Err(_) => self.back_off(Duration::from_millis(250)),
            Ok(answer) if good.contains(&answer.status) => {
                self.note(Entry::Granted { login, asked });
                self.succeeded();
                return Ok(answer);
            }
            Ok(answer) if answer.status == 401 => {
                self.unauthorised(&answer, login);
                match self.person.renew(&self.api, &token).await {
                    Ok(()) => Duration::ZERO,
                    Err(_) => self.back_off(Duration::from_secs(1)),
                }
            }
            Ok(answer) => {
                self.refused(&answer.body);
                match answer.body["retry_after_ms"].as_u64() {
                    Some(asked) => Duration::from_millis(asked),
                    None => self.back_off(Duration::from_millis(250)),
                }
            }
        };
        Err(wait + self.jitter(Duration::from_millis(50)))
    }

    /// A page, once.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let pass = self.person.pass().await;
        let answer = self.get_by(&pass, path).await?;
        match answer.status {
            200 => {
                self.succeeded();
                Ok(answer.body)
            }
            401 => {
                let Pass { token, .. } = pass;
                self.person.renew(&self.api, &token).await?;
                bail!("the token was over")
            }
            status => {
                self.refused(&answer.body);
                bail!("{path} answered {status}")
            }
        }
    }

    /// A page, once, whatever the answer: with this token, be it over or not.
    pub(crate) async fn get_by(&self, pass: &Pass, path: &str) -> Result<Answer> {
        let asked = Instant::now();
        let token = Some(pass.token.as_str());
        let answer = self.api.ask(Method::GET, path, token, None).await?;
        let login = pass.login;
        match answer.status {
            200 => self.note(Entry::Granted { login, asked }),
            401 => self.unauthorised(&answer, login),
            _ => {}
        }
        Ok(answer)
    }

    /// A token was refused: one that is over, or of a login that is.
    fn unauthorised(&self, answer: &Answer, login: u32) {
        if answer.is_revoked() {
            self.denied(login);
        }
    }

    /// It was told that this login is over.
    fn denied(&self, login: u32) {
        let at = Instant::now();
        self.note(Entry::Denied { login, at });
    }

    /// A REST answer that is none.
    pub(crate) fn refused(&self, body: &Value) {
        let code = body["code"].as_str().unwrap_or("none");
        // Only these are worth another attempt (docs/protocol.md, the table of errors).
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

/// What the socket brings next.
pub(crate) fn came(message: Option<Result<Message, Error>>) -> Option<Came> {
    match message {
        Some(Ok(Message::Text(text))) => Some(Came::Text(text.as_str().to_owned())),
        Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
            Some(Came::Ended(code.into(), reason.as_str().to_owned()))
        }
        // A close frame without a code (RFC 6455 §7.1.5).
        Some(Ok(Message::Close(None))) => Some(Came::Ended(1005, String::new())),
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(Came::Ended(1006, error.to_string())),
        None => Some(Came::Ended(1006, String::new())),
    }
}
