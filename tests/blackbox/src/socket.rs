//! The WebSocket client. It checks every frame against the server's description, and of those it
//! receives that `hello` is the first of a v2 socket and that `seq` is dense. It unpacks batches, so that
//! a test sees single events.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::TIMEOUT;
use crate::asyncapi::{AsyncApi, Version};
use crate::events::is_event;
use crate::frame_check::FrameCheck;
use crate::order_check::OrderCheck;

/// How a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code; 1006 when the connection broke without one (RFC 6455 §7.1.5).
    pub code: u16,
    /// The reason.
    pub reason: String,
}

/// What a socket received.
#[derive(Debug)]
pub enum Received {
    /// A frame; batches are unpacked.
    Frame(Value),
    /// The close of the socket.
    Closed(Close),
    /// Nothing within the time limit.
    TimedOut,
}

/// With or without TLS.
type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    name: String,
    asked_v2: bool,
    hello: Option<Value>,
    description: &'static AsyncApi,
    frames: FrameCheck,
    order: OrderCheck,
    pending: VecDeque<Value>,
    close: Option<Close>,
}

impl Socket {
    pub(crate) fn new(
        stream: Stream,
        name: String,
        asked_v2: bool,
        description: &'static AsyncApi,
    ) -> Self {
        Self {
            stream,
            name,
            asked_v2,
            hello: None,
            description,
            frames: FrameCheck::new(description),
            order: OrderCheck::default(),
            pending: VecDeque::new(),
            close: None,
        }
    }

    /// Whether it was opened as v2 or has become v2 since.
    pub fn is_v2(&self) -> bool {
        self.asked_v2 || self.hello.is_some()
    }

    /// The version of the frames it exchanges.
    fn version(&self) -> Version {
        if self.is_v2() {
            Version::V2
        } else {
            Version::V1
        }
    }

    /// The names of the described frames it has sent and received.
    pub fn seen(&self) -> &BTreeSet<String> {
        self.frames.seen()
    }

    /// The `hello` frame. Panics on a v1 socket.
    #[track_caller]
    pub fn hello(&self) -> &Value {
        self.hello.as_ref().expect("a v2 socket after hello")
    }

    /// The `seq` of the newest event received.
    #[track_caller]
    pub fn position(&self) -> u64 {
        self.order.position().expect("a socket with a position")
    }

    /// The epoch of its `seq`.
    #[track_caller]
    pub fn epoch(&self) -> String {
        self.order.epoch().expect("an epoch").to_owned()
    }

    /// Frames that have arrived and no call has returned yet.
    pub fn received(&self) -> &VecDeque<Value> {
        &self.pending
    }

    /// Sends a frame of JSON.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends exactly this text.
    pub async fn send_text(&mut self, text: &str) {
        let sent = self.try_send_text(text).await;
        sent.unwrap_or_else(|error| panic!("{}: sending: {error}", self.name));
    }

    /// The same on a socket that may be closed.
    pub async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.frames.sent(self.version(), text);
        self.stream.send(Message::text(text)).await
    }

    /// Sends a text that the server may reject although its schema allows it: one with a repeated
    /// field, which no schema can forbid.
    pub async fn send_beyond_schemas(&mut self, text: &str) {
        self.frames.sent_other();
        self.send_text(text).await;
    }

    /// Sends a binary frame. An error is not returned: the close that follows is received.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.frames.sent_other();
        let _ = self.stream.send(Message::binary(bytes.to_vec())).await;
    }

    /// Sends a text message in fragments (RFC 6455 §5.4), which need not be UTF-8. An error is not
    /// returned: the close that follows is received.
    pub async fn send_pieces(&mut self, pieces: &[&[u8]]) {
        for (index, piece) in pieces.iter().enumerate() {
            let kind = if index == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let last = index + 1 == pieces.len();
            let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), last);
            self.send_raw(frame).await;
        }
    }

    /// Sends one frame as it is. An error is not returned: the close that follows is received.
    pub async fn send_raw(&mut self, frame: Frame) {
        self.frames.sent_other();
        let _ = self.stream.send(Message::Frame(frame)).await;
    }

    /// Sends a `send` command and returns its `client_message_id`.
    pub async fn send_message(&mut self, text: &str) -> String {
        let id = crate::unique("m");
        let frame = json!({"type": "send", "client_message_id": id, "message": text});
        self.send(&frame).await;
        id
    }

    /// Sends `resume`.
    pub async fn resume(&mut self, since: u64, epoch: &str) {
        self.order.resume_sent(since);
        let frame = json!({"type": "resume", "since": since, "epoch": epoch});
        self.send(&frame).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match self.receive(TIMEOUT).await {
            Received::Frame(frame) => frame,
            Received::Closed(close) => panic!("{}: expected a frame, got {close:?}", self.name),
            Received::TimedOut => panic!("{}: expected a frame, timed out", self.name),
        }
    }

    /// The next frame. Panics unless it is of this type.
    pub async fn expect_frame(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], kind, "{}: {frame}", self.name);
        frame
    }

    /// The next frame. Panics unless it is a message with this text.
    pub async fn expect_message(&mut self, text: &str) -> Value {
        let frame = self.expect_frame("message").await;
        assert_eq!(frame["message"], text, "{}: {frame}", self.name);
        frame
    }

    /// The next frame that meets the condition. Others stay pending.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(index) = self.pending.iter().position(&wanted) {
                return self.pending.remove(index).expect("the index is valid");
            }
            if let Err(end) = self.read_frame(deadline).await {
                let pending = format!("{:?}", self.pending);
                let pending: String = pending.chars().take(2_000).collect();
                panic!("{}: expected {what}: {end:?}, pending {pending}", self.name);
            }
        }
    }

    /// The `ack` of a send.
    pub async fn expect_ack(&mut self, id: &str) -> Value {
        self.find(&format!("the ack of {id}"), |frame| {
            frame["type"] == "ack" && frame["client_message_id"] == id
        })
        .await
    }

    /// The next error frame, v1 or v2.
    pub async fn expect_error(&mut self) -> Value {
        self.find("an error", |frame| frame.get("error").is_some())
            .await
    }

    /// The next `count` durable events, in order.
    pub async fn expect_events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.find("an event", is_event).await);
        }
        events
    }

    /// The frame that ends the response to a `resume`: `sync` or `reset`.
    pub async fn expect_resumed(&mut self) -> Value {
        self.find("sync or reset", |frame| {
            frame["type"] == "sync" || frame["type"] == "reset"
        })
        .await
    }

    /// Waits until the server closes the socket. Frames before stay pending.
    pub async fn expect_close(&mut self) -> Close {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match self.read_frame(deadline).await {
                Err(Received::Closed(close)) => return close,
                Ok(()) => {}
                Err(other) => panic!("{}: expected a close, got {other:?}", self.name),
            }
        }
    }

    /// The next frame or the close, within `limit`.
    pub async fn receive(&mut self, limit: Duration) -> Received {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(frame) = self.pending.pop_front() {
                return Received::Frame(frame);
            }
            if let Err(end) = self.read_frame(deadline).await {
                return end;
            }
        }
    }

    /// Drops the connection without a close frame, as a lost network does.
    pub fn drop_connection(self) {
        // A zero linger makes the operating system send a TCP reset.
        if let MaybeTlsStream::Plain(stream) = self.stream.get_ref() {
            let _ = stream.set_zero_linger();
        }
    }

    /// Closes the socket with a closing handshake.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
        // The handshake is complete when the server has answered (RFC 6455 §7.1.2).
        while let Received::Frame(_) = self.receive(TIMEOUT).await {}
    }

    pub(crate) async fn expect_hello(&mut self) {
        let hello = self.expect_frame("hello").await;
        assert!(self.hello.as_ref() == Some(&hello), "{}", self.name);
    }

    /// Reads one WebSocket message into `pending`. The error is the close or the timeout.
    async fn read_frame(&mut self, deadline: Instant) -> Result<(), Received> {
        if let Some(close) = &self.close {
            return Err(Received::Closed(close.clone()));
        }
        loop {
            let Ok(message) = timeout_at(deadline, self.stream.next()).await else {
                return Err(Received::TimedOut);
            };
            let (code, reason) = match message {
                Some(Ok(Message::Text(text))) => {
                    self.accept(&text);
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
            if let Err(problem) = self.description.check_close(close.code, &close.reason) {
                panic!("{}: {problem}", self.name);
            }
            self.close = Some(close.clone());
            return Err(Received::Closed(close));
        }
    }

    fn accept(&mut self, text: &str) {
        let name = self.name.clone();
        let frame: Value = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{name}: not JSON ({error}): {text}"));
        if frame["type"] == "hello" {
            self.hello = Some(frame.clone());
        }
        if frame["type"] == "pong" {
            // Also before `hello`: a host answers a ping by itself, always with these bytes.
            assert_eq!(text, r#"{"type":"pong"}"#, "{name}");
        } else {
            let is_open = self.hello.is_some() || !self.asked_v2;
            assert!(is_open, "{name}: a frame before hello: {frame}");
        }
        if let Err(problem) = self.frames.received(self.version(), &frame) {
            panic!("{name}: {problem}: {frame}");
        }
        let events = match frame["events"].as_array() {
            Some(events) => events.clone(),
            None => vec![frame],
        };
        for frame in events {
            if let Err(problem) = self.order.check(&frame) {
                panic!("{name}: {problem}");
            }
            self.pending.push_back(frame);
        }
    }
}
