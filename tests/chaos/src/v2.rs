//! A v2 client as a good one is written: it sends with ids of its own and repeats what was not
//! acknowledged, reconnects with jitter, resumes from what it has, and loads the history when it is
//! told to.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::frame::{self, Frame};
use crate::key::Key;
use crate::log::Entry;
use crate::people::ANSWER;
use crate::world::{Came, Client, SILENCE, Stream, came};

/// How long a send may stay unanswered before it is sent again.
const REPEAT: Duration = Duration::from_secs(3);

/// How long a client stays, on average, before it leaves.
const STAY: Duration = Duration::from_secs(20);

/// The most commands a frame may carry.
const FRAME: usize = 20;

pub(crate) struct Resumer {
    pub(crate) client: Client,
    /// It has every event up to here.
    have: u64,
    epoch: Option<String>,
    /// What is not acknowledged, and when it is to be sent (again).
    pending: BTreeMap<Key, Instant>,
}

/// What a socket is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To chat, until the run ends.
    Chat,
    /// To have everything up to here.
    Head(u64),
}

/// One socket's life.
struct Session {
    stream: Stream,
    /// The answer to the resume has come.
    synced: bool,
    heard: Instant,
    pinged: Instant,
    say: Instant,
    leave: Instant,
}

/// Why a socket is no longer of use.
enum End {
    /// The goal is reached.
    Done,
    /// How it ended: code and reason.
    Closed(u16, String),
    /// The client left it, for so long.
    Left(Duration),
}

impl Resumer {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            have: 0,
            epoch: None,
            pending: BTreeMap::new(),
        }
    }

    /// Chats until the run ends and everything is acknowledged.
    pub(crate) async fn chat(&mut self) {
        self.pursue(Goal::Chat).await;
    }

    /// Resumes until it has everything up to `head`.
    pub(crate) async fn catch_up(&mut self, head: u64) {
        self.pursue(Goal::Head(head)).await;
    }

    async fn pursue(&mut self, goal: Goal) {
        loop {
            let pause = match self.socket(goal).await {
                End::Done => return,
                End::Closed(code, reason) => self.client.ended(code, &reason).await,
                End::Left(pause) => pause,
            };
            sleep(pause).await;
        }
    }

    async fn socket(&mut self, goal: Goal) -> End {
        let Ok(mut stream) = self.client.open(true).await else {
            return End::Left(self.client.back_off(Duration::from_millis(300)));
        };
        if let Err(end) = self.greeted(&mut stream).await {
            return end;
        }
        let now = Instant::now();
        for due in self.pending.values_mut() {
            *due = now;
        }
        let say = now + self.client.jitter(self.client.habits.pause);
        let leave = now + self.client.jitter(STAY);
        let mut session = Session {
            stream,
            synced: false,
            heard: now,
            pinged: now,
            say,
            leave,
        };
        loop {
            if self.is_done(goal, session.synced) {
                let _ = session.stream.close(None).await;
                return End::Done;
            }
            if let Err(end) = self.step(&mut session, goal).await {
                return end;
            }
        }
    }

    fn is_done(&self, goal: Goal, synced: bool) -> bool {
        match goal {
            Goal::Chat => synced && !self.client.is_running() && self.pending.is_empty(),
            Goal::Head(head) => synced && self.have >= head,
        }
    }

    /// Waits for `hello` and asks for what was missed.
    async fn greeted(&mut self, stream: &mut Stream) -> Result<(), End> {
        let deadline = Instant::now() + ANSWER;
        loop {
            let Ok(message) = timeout_at(deadline, stream.next()).await else {
                return Err(End::Closed(1006, "no greeting".to_owned()));
            };
            let text = match came(message) {
                None => continue,
                Some(Came::Ended(code, reason)) => return Err(End::Closed(code, reason)),
                Some(Came::Text(text)) => text,
            };
            let frame = serde_json::from_str::<Frame<'_>>(&text).ok();
            let hello = frame.filter(|frame| frame.kind.as_deref() == Some("hello"));
            let Some((at, epoch)) = hello.and_then(|hello| Some((hello.seq?, hello.epoch?))) else {
                self.client
                    .with_log(|log| log.trouble(format!("before hello: {text}")));
                return Err(End::Left(Duration::ZERO));
            };
            self.client.opened(Some(at));
            // Nothing here rewrites a history.
            if self.epoch.get_or_insert_with(|| epoch.to_string()).as_str() != epoch {
                self.client.with_log(|log| log.trouble("the epoch changed"));
            }
            return self.resume(stream).await;
        }
    }

    async fn resume(&mut self, stream: &mut Stream) -> Result<(), End> {
        let since = self.have;
        self.client.note(Entry::Asked { since });
        let command = json!({"type": "resume", "since": since, "epoch": self.epoch});
        write(stream, command.to_string()).await
    }

    /// Waits for the next frame, or for the time to do something.
    async fn step(&mut self, session: &mut Session, goal: Goal) -> Result<(), End> {
        let due = self.pending.values().min().copied();
        let ping = session.pinged.max(session.heard) + Duration::from_secs(2);
        let chat = (goal == Goal::Chat && self.client.is_running()).then_some(session.say);
        let mut next = ping.min(session.heard + SILENCE);
        for moment in [due, chat].into_iter().flatten() {
            next = next.min(moment);
        }
        match timeout_at(next, session.stream.next()).await {
            Err(_) => {}
            Ok(message) => match came(message) {
                None => {}
                Some(Came::Ended(code, reason)) => return Err(End::Closed(code, reason)),
                Some(Came::Text(text)) => {
                    session.heard = Instant::now();
                    self.frame(session, &text).await?;
                }
            },
        }
        self.act(session, goal).await
    }

    /// Does what it is time for.
    async fn act(&mut self, session: &mut Session, goal: Goal) -> Result<(), End> {
        let now = Instant::now();
        if now > session.heard + SILENCE {
            return Err(End::Closed(1006, "silence".to_owned()));
        }
        if goal == Goal::Chat && self.client.is_running() {
            if now > session.leave {
                return Err(self.leave(session).await);
            }
            if now > session.say {
                session.say = now + self.client.jitter(self.client.habits.pause);
                self.invent(now);
            }
            self.shout(now);
        }
        if now >= session.pinged.max(session.heard) + Duration::from_secs(2) {
            session.pinged = now;
            self.client.note(Entry::pinged());
            write(&mut session.stream, r#"{"type":"ping"}"#.to_owned()).await?;
        }
        self.send(&mut session.stream, now).await
    }

    /// Thinks of a message, at times of many.
    fn invent(&mut self, now: Instant) {
        let count = match self.client.rng.u32(0..40) {
            0 => self.client.rng.u32(2..20),
            _ => 1,
        };
        for _ in 0..count {
            if self.pending.len() < self.client.habits.window {
                let key = self.client.new_key();
                self.pending.insert(key, now);
            }
        }
    }

    /// Fills its window at once, if it is one of those and they were asked.
    fn shout(&mut self, now: Instant) {
        let asked = self.client.shouts.has_changed().unwrap_or_default();
        if asked && self.client.habits.loud {
            self.client.shouts.mark_unchanged();
            while self.pending.len() < self.client.habits.window {
                let key = self.client.new_key();
                if key.is_long() {
                    self.pending.insert(key, now);
                }
            }
        }
    }

    /// Sends what is due, several commands in one frame.
    async fn send(&mut self, stream: &mut Stream, now: Instant) -> Result<(), End> {
        let due = self.pending.iter().filter(|(_, due)| **due <= now);
        let due: Vec<Key> = due.map(|(key, _)| *key).take(FRAME).collect();
        let mut commands: Vec<Value> = due.iter().map(|key| frame::send(*key)).collect();
        for key in due {
            self.client.note(Entry::sent(key));
            self.pending.insert(key, now + REPEAT);
        }
        match commands.len() {
            0 => Ok(()),
            1 => write(stream, commands.remove(0).to_string()).await,
            _ => write(stream, Value::Array(commands).to_string()).await,
        }
    }

    /// Goes away, in good order or not, and stays away for a while: at times long enough to miss
    /// more than one resume delivers.
    async fn leave(&mut self, session: &mut Session) -> End {
        if self.client.rng.bool() {
            let _ = session.stream.close(None).await;
        } else {
            let _ = session.stream.get_ref().set_zero_linger();
        }
        let away = match self.client.rng.u32(0..3) {
            0 => Duration::from_secs(self.client.rng.u64(5..12)),
            _ => Duration::from_millis(self.client.rng.u64(0..1_500)),
        };
        End::Left(away)
    }

    async fn frame(&mut self, session: &mut Session, text: &str) -> Result<(), End> {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
            self.client
                .with_log(|log| log.trouble(format!("no frame: {text}")));
            return Ok(());
        };
        match frame.kind.as_deref() {
            Some("message" | "message.edited" | "message.deleted" | "member") => {
                self.event(&frame, session.synced);
            }
            Some("batch") => {
                for event in &frame.events {
                    self.event(event, session.synced);
                }
            }
            Some("ack") => self.acknowledged(&frame),
            Some("error") => return self.error(&frame),
            Some("sync") => {
                let (from, to) = (frame.from.unwrap_or_default(), frame.to.unwrap_or_default());
                self.client.note(Entry::Synced { from, to });
                self.have = self.have.max(to);
                self.synced(session);
            }
            Some("reset") => {
                let to = frame.seq.unwrap_or_default();
                self.client.note(Entry::Reset { to });
                // From its beginning: what it knows may have been changed meanwhile.
                if self.client.load(0).await.is_err() {
                    // What was loaded is known, but not that it is all: begin again.
                    return Err(End::Left(self.client.back_off(Duration::from_millis(500))));
                }
                self.have = self.have.max(to);
                session.heard = Instant::now();
                self.synced(session);
            }
            Some("pong") => self.client.note(Entry::Ponged),
            Some("auth.expiring") => {}
            _ => self
                .client
                .with_log(|log| log.trouble(format!("a frame nobody knows: {text}"))),
        }
        Ok(())
    }

    /// What was missed is here.
    fn synced(&mut self, session: &mut Session) {
        session.synced = true;
        self.client.succeeded();
    }

    fn event(&mut self, frame: &Frame<'_>, synced: bool) {
        let seq = match self.client.hear(frame.told()) {
            Some(Entry::Heard(event)) => event.seq,
            Some(Entry::Changed { change, .. }) => change.seq,
            _ => return,
        };
        // Before the resume is answered, live events may come that leave a gap behind them.
        if seq == self.have + 1 || (synced && seq > self.have) {
            self.have = seq;
        }
    }

    fn acknowledged(&mut self, frame: &Frame<'_>) {
        let (Some(key), Some((message_id, seq, number))) = (frame.key(), frame.place()) else {
            let trouble = format!("half an ack: {frame:?}");
            return self.client.with_log(|log| log.trouble(trouble));
        };
        let duplicate = frame.duplicate.unwrap_or_default();
        self.client.note(Entry::Acknowledged {
            key,
            message_id,
            seq,
            number,
            duplicate,
        });
        // Some ask again for what they were told, as one does whose memory was lost.
        if self.pending.remove(&key).is_some() && self.client.rng.u32(0..30) == 0 {
            self.pending.insert(key, Instant::now());
        }
    }

    fn error(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        let code = frame.code.as_deref().unwrap_or("none");
        let retryable = frame.retryable == Some(true);
        self.client.with_log(|log| log.refused(code, retryable));
        let wait = Duration::from_millis(frame.retry_after_ms.unwrap_or(250));
        let wait = wait + self.client.jitter(Duration::from_millis(50));
        match frame.key() {
            Some(key) => {
                if let Some(due) = self.pending.get_mut(&key) {
                    *due = Instant::now() + wait;
                }
                Ok(())
            }
            // The resume could not be answered: this socket cannot be used.
            None => Err(End::Left(
                wait + self.client.back_off(Duration::from_millis(150)),
            )),
        }
    }
}

async fn write(stream: &mut Stream, text: String) -> Result<(), End> {
    match timeout(SILENCE, stream.send(Message::text(text))).await {
        Ok(Ok(())) => Ok(()),
        // What the server said before it went, most of all a close code, is still to be heard.
        Ok(Err(_)) => Err(last_words(stream).await),
        Err(_) => Err(End::Closed(1006, "nothing could be sent".to_owned())),
    }
}

async fn last_words(stream: &mut Stream) -> End {
    let deadline = Instant::now() + Duration::from_secs(1);
    while let Ok(message) = timeout_at(deadline, stream.next()).await {
        if let Some(Came::Ended(code, reason)) = came(message) {
            return End::Closed(code, reason);
        }
    }
    End::Closed(1006, String::new())
}
