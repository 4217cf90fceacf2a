//! The sends of one [`Conversation`](crate::Conversation): an [`Outbox`] with texts and answers.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio::time::Instant;

use crate::backoff::jitter;
use crate::error::{Error, Rejection};
use crate::frame::{Frame, send_command};
use crate::outbox::Outbox;
use crate::sent::Sent;

/// How long a send may stay unanswered before it is written again.
const REPEAT_AFTER: Duration = Duration::from_secs(3);

/// How long a refused send waits when the server names no time.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// A send without an answer.
#[derive(Debug)]
struct PendingSend {
    client_message_id: String,
    text: String,
}

/// Sends by their order.
#[derive(Debug)]
pub(crate) struct Sends {
    pub(crate) outbox: Outbox<u64>,
    pending: BTreeMap<u64, PendingSend>,
    answers: BTreeMap<u64, Result<Sent, Error>>,
    next: u64,
}

impl Sends {
    pub(crate) const fn new() -> Self {
        Self {
            outbox: Outbox::new(REPEAT_AFTER),
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
            next: 0,
        }
    }

    /// Adds a send that is due now. Returns its key.
    pub(crate) fn push(&mut self, client_message_id: &str, text: &str) -> u64 {
        let key = self.next;
        self.next += 1;
        let pending = PendingSend {
            client_message_id: client_message_id.to_owned(),
            text: text.to_owned(),
        };
        self.pending.insert(key, pending);
        self.outbox.push(key, Instant::now());
        key
    }

    /// The frame to write now, if a send is due.
    pub(crate) fn due_frame(&mut self, now: Instant) -> Option<String> {
        let due = self.outbox.take_due(now);
        let sends = due.iter().filter_map(|key| self.pending.get(key));
        let mut commands: Vec<Value> = sends
            .map(|send| send_command(&send.client_message_id, &send.text))
            .collect();
        match commands.len() {
            0 => None,
            1 => Some(commands.remove(0).to_string()),
            _ => Some(Value::Array(commands).to_string()),
        }
    }

    /// The answer to a send, once.
    pub(crate) fn take_answer(&mut self, key: u64) -> Option<Result<Sent, Error>> {
        self.answers.remove(&key)
    }

    /// The caller no longer waits for an answer.
    pub(crate) fn forget(&mut self, key: u64) {
        self.outbox.remove(&key);
        self.pending.remove(&key);
    }

    /// `ack` arrived.
    pub(crate) fn acknowledged(&mut self, frame: &Frame<'_>) -> Result<(), Error> {
        let (Some(message_id), Some(seq), Some(number)) =
            (frame.message_id, frame.seq, frame.number)
        else {
            return Err(Error::Unexpected(format!("incomplete ack: {frame:?}")));
        };
        if let Some(key) = self.key_of(frame) {
            let sent = Sent {
                message_id,
                seq,
                number,
                duplicate: frame.duplicate.unwrap_or_default(),
            };
            self.answered(key, Ok(sent));
        }
        Ok(())
    }

    /// `error` arrived with a `client_message_id`.
    pub(crate) fn refused(&mut self, frame: &Frame<'_>, rng: &mut Rng) {
        let Some(key) = self.key_of(frame) else {
            return;
        };
        let rejection = Rejection::of_frame(frame);
        if frame.retryable == Some(true) {
            let pause = rejection.retry_after.unwrap_or(RETRY_AFTER);
            let spread = jitter(Duration::from_millis(50), rng);
            self.outbox.retry_at(&key, Instant::now() + pause + spread);
        } else {
            self.answered(key, Err(Error::Rejected(rejection)));
        }
    }

    fn key_of(&self, frame: &Frame<'_>) -> Option<u64> {
        let client_message_id = frame.client_message_id.as_deref()?;
        let mut pending = self.pending.iter();
        pending
            .find(|(_, send)| send.client_message_id == client_message_id)
            .map(|(key, _)| *key)
    }

    fn answered(&mut self, key: u64, answer: Result<Sent, Error>) {
        self.forget(key);
        self.answers.insert(key, answer);
    }
}
