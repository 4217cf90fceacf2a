//! A well-behaved v2 client: it sends with `client_message_id`s and repeats what is not
//! acknowledged, reconnects with jitter, resumes from its position, and loads the history after a
//! `reset`.

use std::time::Duration;

use colloquy_client::{
    Close, Frame, Outbox, PING, Received, Socket, Version, resume_command, send_command,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::accounts::RESPONSE_TIMEOUT;
use crate::client_log::LogEntry;
use crate::frame;
use crate::harness::{Client, SILENCE_TIMEOUT};
use crate::message_key::MessageKey;

/// How long a send may stay unacknowledged before it is repeated.
const REPEAT_AFTER: Duration = Duration::from_secs(3);

/// How long a socket stays open on average before the client drops it.
const AVERAGE_LIFETIME: Duration = Duration::from_secs(20);

pub(crate) struct V2Client {
    pub(crate) client: Client,
    /// The client has every event up to this `seq`.
    position: u64,
    epoch: Option<String>,
    /// Unacknowledged messages.
    pending: Outbox<MessageKey>,
}

/// The purpose of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Send and receive until the run ends.
    Run,
    /// Receive everything up to this `seq`.
    Head(u64),
}

/// One open socket.
struct Connection {
    socket: Socket,
    /// The resume is complete.
    synced: bool,
    last_received: Instant,
    last_ping: Instant,
    next_send: Instant,
    drop_at: Instant,
}

/// Why a socket ended.
enum End {
    /// The goal is reached.
    Done,
    /// It was closed.
    Closed(Close),
    /// It is of no use; the client drops it and pauses for this long.
    Dropped(Duration),
    /// The client leaves for a while.
    Leave,
}

impl V2Client {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            position: 0,
            epoch: None,
            pending: Outbox::new(REPEAT_AFTER),
        }
    }

    /// Sends and receives until the run ends and everything is acknowledged.
    pub(crate) async fn run(&mut self) {
        self.run_until(Goal::Run).await;
    }

    /// Resumes until it has everything up to `head`.
    pub(crate) async fn catch_up(&mut self, head: u64) {
        self.run_until(Goal::Head(head)).await;
    }

    async fn run_until(&mut self, goal: Goal) {
        loop {
            let pause = match self.socket(goal).await {
                End::Done => return,
                End::Closed(close) => self.client.closed(&close).await,
                End::Dropped(pause) => pause,
                End::Leave => Duration::ZERO,
            };
            sleep(pause).await;
        }
    }

    async fn socket(&mut self, goal: Goal) -> End {
        let Ok(mut socket) = self.client.open(Version::V2).await else {
            return End::Dropped(self.client.backoff(Duration::from_millis(300)));
        };
        if let Err(end) = self.await_hello(&mut socket).await {
            return end;
        }
        let now = Instant::now();
        self.pending.reconnected(now);
        let next_send = now + self.client.jitter(self.client.behaviour.pause);
        let drop_at = now + self.client.jitter(AVERAGE_LIFETIME);
        let mut connection = Connection {
            socket,
            synced: false,
            last_received: now,
            last_ping: now,
            next_send,
            drop_at,
        };
        loop {
            if self.is_done(goal, connection.synced) {
                connection.socket.close().await;
                return End::Done;
            }
            match self.step(&mut connection, goal).await {
                Ok(()) => {}
                Err(End::Leave) => return self.leave(connection.socket).await,
                Err(end) => return end,
            }
        }
    }

    fn is_done(&self, goal: Goal, synced: bool) -> bool {
        match goal {
            Goal::Run => synced && !self.client.is_running() && self.pending.is_empty(),
            Goal::Head(head) => synced && self.position >= head,
        }
    }

    /// Waits for `hello` and sends `resume`.
    async fn await_hello(&mut self, socket: &mut Socket) -> Result<(), End> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        let text = match timeout_at(deadline, socket.next()).await {
            Err(_) => return Err(End::Closed(Close::abnormal("no hello"))),
            Ok(Received::Closed(close)) => return Err(End::Closed(close)),
            Ok(Received::Text(text)) => text,
        };
        let frame = Frame::parse(&text).ok();
        let hello = frame.filter(|frame| frame.kind() == "hello");
        let Some((seq, epoch)) = hello.and_then(|hello| Some((hello.seq?, hello.epoch?))) else {
            self.client
                .with_log(|log| log.violation(format!("before hello: {text}")));
            return Err(End::Dropped(Duration::ZERO));
        };
        self.client.opened(Some(seq));
        // No fault of the run rewrites a history.
        if self.epoch.get_or_insert_with(|| epoch.to_string()).as_str() != epoch {
            self.client
                .with_log(|log| log.violation("the epoch changed"));
        }
        let since = self.position;
        self.client.record(LogEntry::ResumeSent { since });
        let command = resume_command(since, self.epoch.as_deref());
        write(socket, command.to_string()).await
    }

    /// Waits for the next frame or the next deadline.
    async fn step(&mut self, connection: &mut Connection, goal: Goal) -> Result<(), End> {
        let due = self.pending.next_due();
        let ping = connection.last_ping.max(connection.last_received) + Duration::from_secs(2);
        let next_send =
            (goal == Goal::Run && self.client.is_running()).then_some(connection.next_send);
        let mut next = ping.min(connection.last_received + SILENCE_TIMEOUT);
        for moment in [due, next_send].into_iter().flatten() {
            next = next.min(moment);
        }
        match timeout_at(next, connection.socket.next()).await {
            Err(_) => {}
            Ok(Received::Closed(close)) => return Err(End::Closed(close)),
            Ok(Received::Text(text)) => {
                connection.last_received = Instant::now();
                self.frame(connection, &text).await?;
            }
        }
        self.perform_due(connection, goal).await
    }

    /// Performs the actions that are due.
    async fn perform_due(&mut self, connection: &mut Connection, goal: Goal) -> Result<(), End> {
        let now = Instant::now();
        if now > connection.last_received + SILENCE_TIMEOUT {
            return Err(End::Closed(Close::abnormal("silence")));
        }
        if goal == Goal::Run && self.client.is_running() {
            if now > connection.drop_at {
                return Err(End::Leave);
            }
            if now > connection.next_send {
                connection.next_send = now + self.client.jitter(self.client.behaviour.pause);
                self.create_messages(now);
            }
            self.burst(now);
        }
        if now >= connection.last_ping.max(connection.last_received) + Duration::from_secs(2) {
            connection.last_ping = now;
            self.client.record(LogEntry::pinged());
            write(&mut connection.socket, PING.to_owned()).await?;
        }
        self.send(&mut connection.socket, now).await
    }

    /// Creates a message, sometimes several.
    fn create_messages(&mut self, now: Instant) {
        let count = match self.client.rng.u32(0..40) {
            0 => self.client.rng.u32(2..20),
            _ => 1,
        };
        for _ in 0..count {
            if self.pending.len() < self.client.behaviour.window {
                let key = self.client.new_key();
                self.pending.push(key, now);
            }
        }
    }

    /// Fills its window with long messages on a burst request.
    fn burst(&mut self, now: Instant) {
        let requested = self.client.burst_requests.has_changed().unwrap_or_default();
        if requested && self.client.behaviour.bursts {
            self.client.burst_requests.mark_unchanged();
            while self.pending.len() < self.client.behaviour.window {
                let key = self.client.new_key();
                if key.is_long() {
                    self.pending.push(key, now);
                }
            }
        }
    }

    /// Sends what is due, several commands in one frame.
    async fn send(&mut self, socket: &mut Socket, now: Instant) -> Result<(), End> {
        let mut commands = Vec::new();
        for key in self.pending.take_due(now) {
            self.client.record(LogEntry::sent(key));
            commands.push(send_command(&key.to_string(), &key.text()));
        }
        match commands.len() {
            0 => Ok(()),
            1 => write(socket, commands.remove(0).to_string()).await,
            _ => write(socket, Value::Array(commands).to_string()).await,
        }
    }

    /// Closes or resets the socket and pauses, sometimes long enough to miss more than one resume.
    async fn leave(&mut self, socket: Socket) -> End {
        if self.client.rng.bool() {
            socket.close().await;
        } else {
            socket.abort();
        }
        let pause = match self.client.rng.u32(0..3) {
            0 => Duration::from_secs(self.client.rng.u64(5..12)),
            _ => Duration::from_millis(self.client.rng.u64(0..1_500)),
        };
        End::Dropped(pause)
    }

    async fn frame(&mut self, connection: &mut Connection, text: &str) -> Result<(), End> {
        let Ok(frame) = Frame::parse(text) else {
            self.client
                .with_log(|log| log.violation(format!("not a frame: {text}")));
            return Ok(());
        };
        match frame.kind() {
            _ if frame.is_event() => self.event(&frame, connection.synced),
            "batch" => {
                for event in &frame.events {
                    self.event(event, connection.synced);
                }
            }
            "ack" => self.acknowledged(&frame),
            "error" => return self.error(&frame),
            "sync" => {
                let (from, to) = (frame.from.unwrap_or_default(), frame.to.unwrap_or_default());
                self.client.record(LogEntry::Synced { from, to });
                self.position = self.position.max(to);
                self.synced(connection);
            }
            "reset" => {
                let to = frame.seq.unwrap_or_default();
                self.client.record(LogEntry::Reset { to });
                // From the start: messages it already has may have been edited.
                if self.client.load(0).await.is_err() {
                    // Some pages are missing: reconnect and resume again.
                    return Err(End::Dropped(
                        self.client.backoff(Duration::from_millis(500)),
                    ));
                }
                self.position = self.position.max(to);
                connection.last_received = Instant::now();
                self.synced(connection);
            }
            "pong" => self.client.record(LogEntry::Ponged),
            "auth.expiring" => {}
            _ => self
                .client
                .with_log(|log| log.violation(format!("unknown frame: {text}"))),
        }
        Ok(())
    }

    /// The resume is complete.
    fn synced(&mut self, connection: &mut Connection) {
        connection.synced = true;
        self.client.succeeded();
    }

    fn event(&mut self, frame: &Frame<'_>, synced: bool) {
        let seq = match self.client.record_event(frame::log_entry(frame)) {
            Some(LogEntry::MessageReceived(event)) => event.seq,
            Some(LogEntry::ChangeReceived { change, .. }) => change.seq,
            _ => return,
        };
        // During a resume, live events may arrive ahead of missed ones.
        if seq == self.position + 1 || (synced && seq > self.position) {
            self.position = seq;
        }
    }

    fn acknowledged(&mut self, frame: &Frame<'_>) {
        let (Some(key), Some((message_id, seq, number))) =
            (frame::key(frame), frame::position(frame))
        else {
            let violation = format!("incomplete ack: {frame:?}");
            return self.client.with_log(|log| log.violation(violation));
        };
        let duplicate = frame.duplicate.unwrap_or_default();
        self.client.record(LogEntry::Acknowledged {
            key,
            message_id,
            seq,
            number,
            duplicate,
        });
        // Sometimes repeats an acknowledged send, as a client that lost its state would.
        if self.pending.remove(&key) && self.client.rng.u32(0..30) == 0 {
            self.pending.push(key, Instant::now());
        }
    }

    fn error(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        let code = frame.code.as_deref().unwrap_or("none");
        let retryable = frame.retryable == Some(true);
        self.client.with_log(|log| log.refused(code, retryable));
        let wait = Duration::from_millis(frame.retry_after_ms.unwrap_or(250));
        let wait = wait + self.client.jitter(Duration::from_millis(50));
        match frame::key(frame) {
            Some(key) => {
                self.pending.retry_at(&key, Instant::now() + wait);
                Ok(())
            }
            // The resume failed: reconnect.
            None => Err(End::Dropped(
                wait + self.client.backoff(Duration::from_millis(150)),
            )),
        }
    }
}

async fn write(socket: &mut Socket, text: String) -> Result<(), End> {
    socket.send(text).await.map_err(End::Closed)
}
