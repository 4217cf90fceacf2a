//! The WebSocket client. Everything it receives is checked on the way in: that a frame is one of
//! the protocol, that a v1 socket sees v1 frames only, that `seq` is dense. Batches are taken
//! apart, so that a test sees events and need not care how they were packed.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::PATIENCE;
use crate::order::Order;
use crate::shapes;

/// How a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code; 1006 when the connection broke without one (RFC 6455 §7.1.5).
    pub code: u16,
    /// The reason.
    pub reason: String,
}

/// What came of listening.
#[derive(Debug)]
pub enum Heard {
    /// A frame, batches already taken apart.
    Frame(Value),
    /// The end.
    Closed(Close),
    /// Nothing in the time given.
    Nothing,
}

/// Over TLS or in the clear.
type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    name: String,
    asked_v2: bool,
    hello: Option<Value>,
    order: Order,
    waiting: VecDeque<Value>,
    close: Option<Close>,
}

impl Socket {
    pub(crate) fn new(stream: Stream, name: String, asked_v2: bool) -> Self {
        Self {
            stream,
            name,
            asked_v2,
            hello: None,
            order: Order::default(),
            waiting: VecDeque::new(),
            close: None,
        }
    }

    /// Whether it asked for `chat.v2` or has become v2 since.
    pub fn is_v2(&self) -> bool {
        self.asked_v2 || self.hello.is_some()
    }

    /// The greeting. Panics on a v1 socket.
    #[track_caller]
    pub fn hello(&self) -> &Value {
        self.hello.as_ref().expect("a v2 socket that was greeted")
    }

    /// The newest event it has been told of.
    #[track_caller]
    pub fn position(&self) -> u64 {
        self.order.position().expect("a socket that was greeted")
    }

    /// The history it counts in.
    #[track_caller]
    pub fn epoch(&self) -> String {
        self.order.epoch().expect("an epoch").to_owned()
    }

    /// What has come and was not asked for yet.
    pub fn heard(&self) -> &VecDeque<Value> {
        &self.waiting
    }

    /// Sends a frame of JSON.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text frame of exactly these bytes.
    pub async fn send_text(&mut self, text: &str) {
        let sent = self.try_send_text(text).await;
        sent.unwrap_or_else(|error| panic!("{}: sending: {error}", self.name));
    }

    /// The same for a socket that may be gone.
    pub async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.stream.send(Message::text(text)).await
    }

    /// Sends a binary frame. What the server thinks of it is heard, not returned.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        let _ = self.stream.send(Message::binary(bytes.to_vec())).await;
    }

    /// Sends a text message in these pieces, a frame each (RFC 6455 §5.4), whatever they hold. It
    /// may fail when the server has closed; that is heard, not returned.
    pub async fn send_pieces(&mut self, pieces: &[&[u8]]) {
        for (index, piece) in pieces.iter().enumerate() {
            let kind = if index == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let last = index + 1 == pieces.len();
            let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), last);
            if self.stream.send(Message::Frame(frame)).await.is_err() {
                return;
            }
        }
    }

    /// Sends a `send` command and returns its id.
    pub async fn say(&mut self, text: &str) -> String {
        let id = crate::unique("m");
        let frame = json!({"type": "send", "client_message_id": id, "message": text});
        self.send(&frame).await;
        id
    }

    /// Asks for everything after `since`.
    pub async fn resume(&mut self, since: u64, epoch: &str) {
        self.order.resuming(since);
        let frame = json!({"type": "resume", "since": since, "epoch": epoch});
        self.send(&frame).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match self.hear(PATIENCE).await {
            Heard::Frame(frame) => frame,
            Heard::Closed(close) => panic!("{}: a frame was due, not {close:?}", self.name),
            Heard::Nothing => panic!("{}: a frame was due, nothing came", self.name),
        }
    }

    /// The next frame, which must be of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], kind, "{}: {frame}", self.name);
        frame
    }

    /// The next frame, which must be a message of this text.
    pub async fn expect_message(&mut self, text: &str) -> Value {
        let frame = self.expect("message").await;
        assert_eq!(frame["message"], text, "{}: {frame}", self.name);
        frame
    }

    /// The next frame that meets the condition; those that do not stay to be heard.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(index) = self.waiting.iter().position(&wanted) {
                return self.waiting.remove(index).expect("it was just found");
            }
            if let Err(end) = self.receive(deadline).await {
                let heard = format!("{:?}", self.waiting);
                let heard: String = heard.chars().take(2_000).collect();
                panic!("{}: {what} was due: {end:?}, heard {heard}", self.name);
            }
        }
    }

    /// The acknowledgement of a send.
    pub async fn ack(&mut self, id: &str) -> Value {
        self.find(&format!("the ack of {id}"), |frame| {
            frame["type"] == "ack" && frame["client_message_id"] == id
        })
        .await
    }

    /// The next refusal, in either version's shape.
    pub async fn error(&mut self) -> Value {
        self.find("an error", |frame| frame.get("error").is_some())
            .await
    }

    /// The next `count` durable events, in order.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.find("an event", shapes::is_event).await);
        }
        events
    }

    /// The frame after which a resume has been answered: `sync` or `reset`.
    pub async fn resumed(&mut self) -> Value {
        self.find("sync or reset", |frame| {
            frame["type"] == "sync" || frame["type"] == "reset"
        })
        .await
    }

    /// Waits for the server to close, whatever comes before.
    pub async fn closed(&mut self) -> Close {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.receive(deadline).await {
                Err(Heard::Closed(close)) => return close,
                Ok(()) => {}
                Err(other) => panic!("{}: it should be closed, not {other:?}", self.name),
            }
        }
    }

    /// The next frame or the end, within `patience`.
    pub async fn hear(&mut self, patience: Duration) -> Heard {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Heard::Frame(frame);
            }
            if let Err(end) = self.receive(deadline).await {
                return end;
            }
        }
    }

    /// Ends the connection at once, as a lost network would: no close frame.
    pub fn drop_connection(self) {
        // Zero makes the system send a reset instead of an orderly end.
        if let MaybeTlsStream::Plain(stream) = self.stream.get_ref() {
            let _ = stream.set_zero_linger();
        }
    }

    /// Closes in good order.
    pub async fn leave(mut self) {
        let _ = self.stream.close(None).await;
        // The handshake is over when the server has answered (RFC 6455 §7.1.2).
        while let Heard::Frame(_) = self.hear(PATIENCE).await {}
    }

    pub(crate) async fn greeted(&mut self) {
        let hello = self.expect("hello").await;
        assert!(self.hello.as_ref() == Some(&hello), "{}", self.name);
    }

    /// Takes one message off the wire into `waiting`; the error is that there is none.
    async fn receive(&mut self, deadline: Instant) -> Result<(), Heard> {
        if let Some(close) = &self.close {
            return Err(Heard::Closed(close.clone()));
        }
        loop {
            let Ok(message) = timeout_at(deadline, self.stream.next()).await else {
                return Err(Heard::Nothing);
            };
            let (code, reason) = match message {
                Some(Ok(Message::Text(text))) => {
                    self.take_in(&text);
                    return Ok(());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Binary(_))) => panic!("{}: a binary frame", self.name),
                Some(Ok(Message::Close(Some(frame)))) => {
                    (frame.code.into(), frame.reason.to_string())
                }
                // A close frame without a code (RFC 6455 §7.1.5).
                Some(Ok(Message::Close(None))) => (1005, String::new()),
                Some(Err(error)) => (1006, error.to_string()),
                None => (1006, "the connection ended".to_owned()),
            };
            let close = Close { code, reason };
            self.close = Some(close.clone());
            return Err(Heard::Closed(close));
        }
    }

    fn take_in(&mut self, text: &str) {
        let name = self.name.clone();
        let frame: Value = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{name}: not JSON ({error}): {text}"));
        let frames = if frame["type"] == "batch" {
            assert!(self.is_v2(), "{name}: a batch on a v1 socket");
            let events = frame["events"].as_array().cloned().unwrap_or_default();
            assert!(events.iter().all(shapes::is_event), "{name}: {frame}");
            assert!(!events.is_empty(), "{name}: an empty batch");
            events
        } else {
            vec![frame]
        };
        for frame in frames {
            if let Some(problem) = shapes::problem(&frame) {
                panic!("{name}: {problem}: {frame}");
            }
            self.check_version(&frame, text);
            if let Err(problem) = self.order.note(&frame) {
                panic!("{name}: {problem}");
            }
            self.waiting.push_back(frame);
        }
    }

    /// Who may see what: a v1 socket the two shapes and pongs, a v2 socket nothing before `hello`.
    fn check_version(&mut self, frame: &Value, text: &str) {
        if frame["type"] == "hello" {
            self.hello = Some(frame.clone());
            return;
        }
        let name = &self.name;
        match frame["type"].as_str() {
            Some("pong") => assert_eq!(text, r#"{"type":"pong"}"#, "{name}"),
            _ if self.hello.is_some() => {
                assert!(frame["type"].is_string(), "{name}: no type: {frame}");
            }
            _ if self.asked_v2 => panic!("{name}: before hello: {frame}"),
            Some("message") => {}
            None => assert!(frame.get("error").is_some(), "{name}: {frame}"),
            Some(_) => panic!("{name}: on a v1 socket: {frame}"),
        }
    }
}
