//! A v1 client: frames without ids. Its own message coming back is all the acknowledgement it gets,
//! so it never repeats what may have been stored; it cannot resume, and reads the history instead.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::frame::Frame;
use crate::key::Key;
use crate::log::Entry;
use crate::world::{Came, Client, SILENCE, Stream, came};

pub(crate) struct Plain {
    pub(crate) client: Client,
    /// Sent and not come back, and when it is to be sent again because it was refused.
    waiting: Option<(Key, Option<Instant>)>,
}

impl Plain {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            waiting: None,
        }
    }

    /// Chats until the run ends.
    pub(crate) async fn chat(&mut self) {
        while self.client.is_running() {
            let pause = match self.client.open(false).await {
                Ok(stream) => {
                    self.client.opened(None);
                    let (code, reason) = self.talk(stream).await;
                    self.client.ended(code, &reason).await
                }
                Err(_) => self.client.back_off(Duration::from_millis(300)),
            };
            // Whether it was stored is not known: sent again, it could be there twice.
            self.waiting = None;
            sleep(pause).await;
        }
    }

    /// One socket's life; how it ended.
    async fn talk(&mut self, mut stream: Stream) -> (u16, String) {
        let mut heard = Instant::now();
        let mut pinged = heard;
        let mut say = heard + self.client.jitter(self.client.habits.pause);
        while self.client.is_running() {
            let next = say
                .min(heard + SILENCE)
                .min(pinged + Duration::from_secs(2));
            if let Ok(message) = timeout_at(next, stream.next()).await {
                match came(message) {
                    None => {}
                    Some(Came::Ended(code, reason)) => return (code, reason),
                    Some(Came::Text(text)) => {
                        heard = Instant::now();
                        self.client.succeeded();
                        self.frame(&text);
                    }
                }
            }
            let now = Instant::now();
            if now > heard + SILENCE {
                return (1006, "silence".to_owned());
            }
            let mut frame = None;
            if now >= say {
                say = now + self.client.jitter(self.client.habits.pause);
                frame = self.say(now);
            }
            if frame.is_none() && now >= pinged + Duration::from_secs(2) {
                pinged = now;
                self.client.note(Entry::pinged());
                frame = Some(r#"{"type":"ping"}"#.to_owned());
            }
            if let Some(frame) = frame {
                let writing = stream.send(Message::text(frame));
                if !matches!(timeout(SILENCE, writing).await, Ok(Ok(()))) {
                    return (1006, "nothing could be sent".to_owned());
                }
            }
        }
        let _ = stream.close(None).await;
        (1000, String::new())
    }

    /// The next message, or the one that was refused, when its time has come.
    fn say(&mut self, now: Instant) -> Option<String> {
        let key = match self.waiting {
            None => self.client.new_key(),
            Some((key, Some(again))) if now >= again => key,
            Some(_) => return None,
        };
        self.waiting = Some((key, None));
        self.client.note(Entry::sent(key));
        Some(json!({"message": key.text()}).to_string())
    }

    fn frame(&mut self, text: &str) {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
            return self
                .client
                .with_log(|log| log.trouble(format!("no frame: {text}")));
        };
        if let Some(code) = frame.code.as_deref() {
            let retryable = frame.retryable == Some(true);
            self.client.with_log(|log| log.refused(code, retryable));
            // Only a throttled send is known not to be stored.
            self.waiting = match (self.waiting, code) {
                (Some((key, _)), "throttled") => {
                    let wait = Duration::from_millis(frame.retry_after_ms.unwrap_or(1_000));
                    Some((key, Some(Instant::now() + wait)))
                }
                _ => None,
            };
            return;
        }
        match frame.kind.as_deref() {
            Some("pong") => self.client.note(Entry::Ponged),
            Some("message") => {
                let heard = self.client.hear(frame.told());
                if let (Some(Entry::Heard(event)), Some((key, _))) = (heard, self.waiting)
                    && key == event.key
                {
                    self.waiting = None;
                }
            }
            _ => self
                .client
                .with_log(|log| log.trouble(format!("on a v1 socket: {text}"))),
        }
    }
}
