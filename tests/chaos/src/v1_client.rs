//! A v1 client, which sends without ids. The echo of its own message is its only acknowledgement, so
//! it never repeats a send that may be stored; it cannot resume and reads the history instead.

use std::time::Duration;

use colloquy_client::{Close, Frame, PING, Received, Socket, Version};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client_log::LogEntry;
use crate::frame;
use crate::harness::{Client, SILENCE_TIMEOUT};
use crate::message_key::MessageKey;

pub(crate) struct V1Client {
    pub(crate) client: Client,
    /// The send without an echo, and when to repeat it if it was throttled.
    unechoed: Option<(MessageKey, Option<Instant>)>,
}

impl V1Client {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            unechoed: None,
        }
    }

    /// Sends and receives until the run ends.
    pub(crate) async fn run(&mut self) {
        while self.client.is_running() {
            let pause = match self.client.open(Version::V1).await {
                Ok(socket) => {
                    self.client.opened(None);
                    let close = self.serve(socket).await;
                    self.client.closed(&close).await
                }
                Err(_) => self.client.backoff(Duration::from_millis(300)),
            };
            // It may be stored: sent again, it could be stored twice.
            self.unechoed = None;
            sleep(pause).await;
        }
    }

    /// Serves one socket until it ends.
    async fn serve(&mut self, mut socket: Socket) -> Close {
        let mut last_received = Instant::now();
        let mut last_ping = last_received;
        let mut next_send = last_received + self.client.jitter(self.client.behaviour.pause);
        while self.client.is_running() {
            let next = next_send
                .min(last_received + SILENCE_TIMEOUT)
                .min(last_ping + Duration::from_secs(2));
            match timeout_at(next, socket.next()).await {
                Err(_) => {}
                Ok(Received::Closed(close)) => return close,
                Ok(Received::Text(text)) => {
                    last_received = Instant::now();
                    self.client.succeeded();
                    self.frame(&text);
                }
            }
            let now = Instant::now();
            if now > last_received + SILENCE_TIMEOUT {
                return Close::abnormal("silence");
            }
            let mut frame = None;
            if now >= next_send {
                next_send = now + self.client.jitter(self.client.behaviour.pause);
                frame = self.next_message(now);
            }
            if frame.is_none() && now >= last_ping + Duration::from_secs(2) {
                last_ping = now;
                self.client.record(LogEntry::pinged());
                frame = Some(PING.to_owned());
            }
            if let Some(frame) = frame
                && let Err(close) = socket.send(frame).await
            {
                return close;
            }
        }
        socket.close().await;
        Close {
            code: 1000,
            reason: String::new(),
        }
    }

    /// The next message, or the throttled one when its wait is over.
    fn next_message(&mut self, now: Instant) -> Option<String> {
        let key = match self.unechoed {
            None => self.client.new_key(),
            Some((key, Some(again))) if now >= again => key,
            Some(_) => return None,
        };
        self.unechoed = Some((key, None));
        self.client.record(LogEntry::sent(key));
        Some(json!({"message": key.text()}).to_string())
    }

    fn frame(&mut self, text: &str) {
        let Ok(frame) = Frame::parse(text) else {
            return self
                .client
                .with_log(|log| log.violation(format!("not a frame: {text}")));
        };
        if let Some(code) = frame.code.as_deref() {
            let retryable = frame.retryable == Some(true);
            self.client.with_log(|log| log.refused(code, retryable));
            // Only a throttled send is certain not to be stored.
            self.unechoed = match (self.unechoed, code) {
                (Some((key, _)), "throttled") => {
                    let wait = Duration::from_millis(frame.retry_after_ms.unwrap_or(1_000));
                    Some((key, Some(Instant::now() + wait)))
                }
                _ => None,
            };
            return;
        }
        match frame.kind() {
            "pong" => self.client.record(LogEntry::Ponged),
            "message" => {
                let received = self.client.record_event(frame::log_entry(&frame));
                if let (Some(LogEntry::MessageReceived(event)), Some((key, _))) =
                    (received, self.unechoed)
                    && key == event.key
                {
                    self.unechoed = None;
                }
            }
            _ => self
                .client
                .with_log(|log| log.violation(format!("unexpected frame on a v1 socket: {text}"))),
        }
    }
}
