//! A v2 client of one conversation: one socket at a time, reopened when it is lost.
//!
//! Owns the loop around [`Position`], [`Sends`] and [`Backoff`]. Nothing runs in the background:
//! the socket is served while [`Conversation::next`] or [`Conversation::send`] is awaited, so a
//! caller that awaits neither for three heartbeats may find its socket closed. The next call
//! reconnects.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::close::{Close, CloseAction};
use crate::error::Error;
use crate::frame::{Frame, resume_command};
use crate::position::{Arrival, Position};
use crate::sends::Sends;
use crate::sent::Sent;
use crate::socket::{PING, Received, Socket, Version};

/// How long opening a socket may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The heartbeat interval until `hello` sets it.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(10);

/// The average pause after the first lost connection.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// What a conversation delivers.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The next durable event.
    Event(Box<Frame<'static>>),
    /// Too much was missed: the whole history, oldest message first. It replaces what the caller
    /// has. Events that follow may repeat messages it already contains.
    History(Vec<Value>),
}

/// A v2 client of one conversation.
#[derive(Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the id is the conversation's, also inside the client of one conversation"
)]
pub struct Conversation {
    client: Client,
    conversation_id: u64,
    /// None while disconnected.
    socket: Option<Connection>,
    reconnect_at: Instant,
    position: Position,
    sends: Sends,
    deliveries: VecDeque<Delivery>,
    backoff: Backoff,
    rng: Rng,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    access: String,
    greeted: bool,
    heartbeat: Duration,
    received_at: Instant,
    pinged_at: Instant,
}

impl Conversation {
    /// Opens a conversation at its head: what was sent before is not delivered.
    pub async fn open(client: &Client, conversation_id: u64) -> Result<Self, Error> {
        Self::connect(client.clone(), conversation_id, Position::default()).await
    }

    /// Opens a conversation and delivers everything after `since` of the history `epoch`.
    pub async fn open_after(
        client: &Client,
        conversation_id: u64,
        since: u64,
        epoch: Option<&str>,
    ) -> Result<Self, Error> {
        let position = Position::after(since, epoch.map(str::to_owned));
        Self::connect(client.clone(), conversation_id, position).await
    }

    async fn connect(
        client: Client,
        conversation_id: u64,
        position: Position,
    ) -> Result<Self, Error> {
        let mut conversation = Self {
            client,
            conversation_id,
            socket: None,
            reconnect_at: Instant::now(),
            position,
            sends: Sends::new(),
            deliveries: VecDeque::new(),
            backoff: Backoff::default(),
            rng: Rng::new(),
        };
        let deadline = conversation.client.deadline();
        while !conversation.is_current() {
            conversation.step(deadline).await?;
        }
        Ok(conversation)
    }

    /// Whether a socket is open and its resume, if it needed one, is answered.
    fn is_current(&self) -> bool {
        let greeted = self.socket.as_ref().is_some_and(|socket| socket.greeted);
        greeted && !self.position.is_resuming()
    }

    /// The newest event delivered or queued for delivery.
    pub fn seq(&self) -> u64 {
        self.position.seq().unwrap_or_default()
    }

    /// The history that [`Conversation::seq`] counts in. Both together are what
    /// [`Conversation::open_after`] needs.
    pub fn epoch(&self) -> Option<&str> {
        self.position.epoch()
    }

    /// The next delivery; none when nothing arrives within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Result<Option<Delivery>, Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(delivery) = self.deliveries.pop_front() {
                return Ok(Some(delivery));
            }
            match self.step(deadline).await {
                Err(Error::Deadline) => return Ok(None),
                result => result?,
            }
        }
    }

    /// Sends a message and returns when it is stored. Repeats it under `client_message_id` after a
    /// lost answer, a lost connection or a retryable refusal. After [`Error::Deadline`] call it
    /// again with the same id.
    pub async fn send(&mut self, client_message_id: &str, text: &str) -> Result<Sent, Error> {
        let key = self.sends.push(client_message_id, text);
        let deadline = self.client.deadline();
        loop {
            if let Some(answer) = self.sends.take_answer(key) {
                return answer;
            }
            if let Err(error) = self.step(deadline).await {
                self.sends.forget(key);
                return Err(error);
            }
        }
    }

    /// Drops the connection without a close frame, as a lost network does. The next call
    /// reconnects.
    pub fn drop_connection(&mut self) {
        if let Some(connection) = self.socket.take() {
            connection.socket.abort();
        }
    }

    /// Closes the socket. Queued deliveries are lost; the position to resume from is returned.
    pub async fn close(mut self) -> (u64, Option<String>) {
        if let Some(connection) = self.socket.take() {
            connection.socket.close().await;
        }
        let epoch = self.position.epoch().map(str::to_owned);
        (self.seq(), epoch)
    }

    /// Does the next thing: connects, writes what is due, or waits for one frame.
    async fn step(&mut self, deadline: Instant) -> Result<(), Error> {
        if Instant::now() >= deadline {
            return Err(Error::Deadline);
        }
        if self.socket.is_none() {
            return self.reconnect(deadline).await;
        }
        let result = match self.write_due().await {
            Ok(()) => self.receive(deadline).await?,
            Err(close) => Some(close),
        };
        match result {
            Some(close) => self.closed(&close).await,
            None => Ok(()),
        }
    }

    async fn reconnect(&mut self, deadline: Instant) -> Result<(), Error> {
        sleep_until(self.reconnect_at.min(deadline)).await;
        if Instant::now() < self.reconnect_at {
            return Ok(());
        }
        let access = self.client.account().access().await.token;
        let base_url = self.client.rest().base_url();
        let opening = Socket::open(
            base_url,
            self.conversation_id,
            &access,
            Version::V2,
            OPEN_LIMIT,
        );
        match opening.await {
            Ok(socket) => {
                let now = Instant::now();
                self.socket = Some(Connection {
                    socket,
                    access,
                    greeted: false,
                    heartbeat: FIRST_HEARTBEAT,
                    received_at: now,
                    pinged_at: now,
                });
            }
            Err(_) => self.reconnect_after(Duration::ZERO),
        }
        Ok(())
    }

    fn reconnect_after(&mut self, asked: Duration) {
        let pause = self.backoff.failed(FIRST_PAUSE, &mut self.rng);
        self.reconnect_at = Instant::now() + asked + pause;
    }

    async fn closed(&mut self, close: &Close) -> Result<(), Error> {
        let access = self.socket.take().map(|connection| connection.access);
        match close.action() {
            CloseAction::Stop => return Err(Error::Closed(close.clone())),
            CloseAction::Reconnect => self.reconnect_after(Duration::ZERO),
            CloseAction::ReconnectAfter(asked) => self.reconnect_after(asked),
            CloseAction::RenewToken => {
                let access = access.unwrap_or_default();
                let renewing = self.client.account().renew(self.client.rest(), &access);
                match renewing.await {
                    Ok(()) => self.reconnect_at = Instant::now(),
                    Err(error) if error.is_retryable() => self.reconnect_after(Duration::ZERO),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn write_due(&mut self) -> Result<(), Close> {
        let now = Instant::now();
        let Some(connection) = &mut self.socket else {
            return Ok(());
        };
        if now >= connection.pinged_at + connection.heartbeat {
            connection.pinged_at = now;
            connection.socket.send(PING).await?;
        }
        if !connection.greeted {
            return Ok(());
        }
        match self.sends.due_frame(now) {
            Some(frame) => connection.socket.send(frame).await,
            None => Ok(()),
        }
    }

    /// Waits for a frame, or until something else is due. Returns how the socket ended, if it did.
    async fn receive(&mut self, deadline: Instant) -> Result<Option<Close>, Error> {
        let Some(connection) = &mut self.socket else {
            return Ok(None);
        };
        let silent_at = connection.received_at + 3 * connection.heartbeat;
        let ping_at = connection.pinged_at + connection.heartbeat;
        let mut wake = deadline.min(silent_at).min(ping_at);
        if let Some(due) = self.sends.outbox.next_due().filter(|_| connection.greeted) {
            wake = wake.min(due);
        }
        match timeout_at(wake, connection.socket.next()).await {
            Err(_) if Instant::now() >= silent_at => {
                Ok(Some(Close::abnormal("heartbeat timed out")))
            }
            Err(_) => Ok(None),
            Ok(Received::Closed(close)) => Ok(Some(close)),
            Ok(Received::Text(text)) => {
                connection.received_at = Instant::now();
                let frame = Frame::parse(&text)
                    .map_err(|error| Error::Unexpected(format!("{error}: {text}")))?;
                self.handle(frame).await
            }
        }
    }

    async fn handle(&mut self, frame: Frame<'_>) -> Result<Option<Close>, Error> {
        match frame.kind() {
            "hello" => return Ok(self.hello(&frame).await.err()),
            "batch" => {
                for event in frame.events {
                    if let Err(close) = self.event(event).await {
                        return Ok(Some(close));
                    }
                }
            }
            "ack" => self.sends.acknowledged(&frame)?,
            "error" if frame.client_message_id.is_some() => {
                self.sends.refused(&frame, &mut self.rng);
            }
            // The resume cannot be answered now: this socket is of no further use.
            "error" => {
                let after_ms = frame.retry_after_ms.unwrap_or_default();
                return Ok(Some(Close::abnormal(format!("after_ms={after_ms}"))));
            }
            "sync" => {
                if self.position.synced() {
                    return Ok(self.resume().await.err());
                }
                self.backoff.succeeded();
            }
            "reset" => match self.reset(&frame).await {
                // A reconnect asks for the resume again.
                Err(error) if error.is_retryable() => {
                    return Ok(Some(Close::abnormal("history unavailable")));
                }
                result => result?,
            },
            "auth.expiring" => return Ok(self.renew_in_place().await.err()),
            _ if frame.is_event() => return Ok(self.event(frame).await.err()),
            // Clients ignore frames they do not know.
            _ => {}
        }
        Ok(None)
    }

    async fn hello(&mut self, frame: &Frame<'_>) -> Result<(), Close> {
        if let Some(connection) = &mut self.socket {
            connection.greeted = true;
            if let Some(seconds) = frame.heartbeat_s.filter(|seconds| *seconds > 0) {
                connection.heartbeat = Duration::from_secs(seconds);
            }
        }
        self.sends.outbox.reconnected(Instant::now());
        let epoch = frame.epoch.as_deref().unwrap_or_default();
        if self.position.greeted(frame.seq.unwrap_or_default(), epoch) {
            return self.resume().await;
        }
        self.backoff.succeeded();
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Close> {
        let since = self.position.resume_sent();
        let command = resume_command(since, self.position.epoch());
        match &mut self.socket {
            Some(connection) => connection.socket.send(command.to_string()).await,
            None => Ok(()),
        }
    }

    async fn event(&mut self, event: Frame<'_>) -> Result<(), Close> {
        match self.position.arrived(event.seq.unwrap_or_default()) {
            Arrival::Apply => self
                .deliveries
                .push_back(Delivery::Event(Box::new(event.into_owned()))),
            Arrival::Gap if !self.position.is_resuming() => return self.resume().await,
            Arrival::Duplicate | Arrival::Gap => {}
        }
        Ok(())
    }

    async fn reset(&mut self, frame: &Frame<'_>) -> Result<(), Error> {
        let history = self.client.history_after(self.conversation_id, 0).await?;
        let epoch = frame.epoch.as_deref().unwrap_or_default();
        self.position.reset(frame.seq.unwrap_or_default(), epoch);
        self.deliveries.push_back(Delivery::History(history));
        self.backoff.succeeded();
        Ok(())
    }

    /// Gives the open socket a fresh token. Without one the server closes it with 4200, and the
    /// client renews the token then.
    async fn renew_in_place(&mut self) -> Result<(), Close> {
        let Some(connection) = &mut self.socket else {
            return Ok(());
        };
        let account = self.client.account();
        let renewing = account.renew(self.client.rest(), &connection.access);
        if renewing.await.is_err() {
            return Ok(());
        }
        connection.access = account.access().await.token;
        let command = json!({"type": "auth", "token": connection.access});
        connection.socket.send(command.to_string()).await
    }
}
