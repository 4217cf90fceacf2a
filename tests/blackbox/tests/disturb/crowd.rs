//! Ten clients that do what a good client does: send with ids of their own, send again until
//! acknowledged, reconnect and resume. Each keeps a diary; whatever happened to the servers
//! meanwhile, in the end all diaries and the history say the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use colloquy_tests::{
    Account, Close, Group, Heard, Server, Socket, below, eventually, unique, wait_of,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::diary::{Diary, compare};

const PEOPLE: usize = 10;

/// How long a client waits for an answer before it sends the same again.
const ANSWER: Duration = Duration::from_secs(3);

/// Ten clients at work, and one member who only watches.
pub(crate) struct Crowd {
    /// Their conversation.
    pub(crate) id: u64,
    /// The one who watches.
    pub(crate) observer: Account,
    clients: Vec<JoinHandle<Diary>>,
    acknowledged: Vec<Arc<AtomicUsize>>,
    stop: watch::Sender<bool>,
}

impl Crowd {
    /// Gathers them and lets them start.
    pub(crate) async fn start() -> Self {
        let group = Group::of(&Server::under_test(), PEOPLE + 1).await;
        let (stop, stopped) = watch::channel(false);
        let mut clients = Vec::new();
        let mut acknowledged = Vec::new();
        for account in &group.members[1..] {
            let count = Arc::new(AtomicUsize::new(0));
            let client = Client {
                account: account.clone(),
                id: group.id,
                diary: Diary {
                    name: account.username.clone(),
                    ..Diary::default()
                },
                epoch: None,
                acknowledged: Arc::clone(&count),
                stopped: stopped.clone(),
            };
            acknowledged.push(count);
            clients.push(tokio::spawn(client.run()));
        }
        Self {
            id: group.id,
            observer: group.members[0].clone(),
            clients,
            acknowledged,
            stop,
        }
    }

    /// Waits until each has had this many more messages acknowledged than now.
    pub(crate) async fn progress(&self, more: usize) {
        let count = |client: &Arc<AtomicUsize>| client.load(Ordering::Relaxed);
        let goals: Vec<usize> = self
            .acknowledged
            .iter()
            .map(|client| count(client) + more)
            .collect();
        eventually("every client gets on", async || {
            assert!(
                self.clients.iter().all(|client| !client.is_finished()),
                "a client has given up"
            );
            let arrived = self.acknowledged.iter().zip(&goals);
            arrived
                .into_iter()
                .all(|(client, goal)| count(client) >= *goal)
                .then_some(())
        })
        .await;
    }

    /// Lets each finish what it is sending, then holds everything they were told against the
    /// history as each of them reads it.
    pub(crate) async fn finish(mut self) -> Vec<Diary> {
        self.stop.send_replace(true);
        let mut diaries = Vec::new();
        for client in std::mem::take(&mut self.clients) {
            match client.await {
                Ok(diary) => diaries.push(diary),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        let head = self.observer.latest(self.id).await["as_of_seq"].clone();
        let mut late = Vec::new();
        for diary in diaries {
            late.push(self.catch_up(diary, head.as_u64().expect("a seq")).await);
        }
        let history = self.observer.history(self.id).await;
        compare(&late, &history);
        late
    }

    /// What a client that stopped early missed of the others, by one last resume.
    async fn catch_up(&self, mut diary: Diary, head: u64) -> Diary {
        // Any member receives the same events; the observer asks in the client's place.
        let since = diary.heard.last_key_value().map_or(0, |(seq, _)| *seq);
        let mut socket = self.observer.socket(self.id).v2().open().await;
        let epoch = socket.epoch();
        socket.resume(since, &epoch).await;
        while diary.heard.last_key_value().map_or(0, |(seq, _)| *seq) < head {
            for event in socket.events(1).await {
                diary.hear(&event);
            }
        }
        diary
    }
}

struct Client {
    account: Account,
    id: u64,
    diary: Diary,
    epoch: Option<String>,
    acknowledged: Arc<AtomicUsize>,
    stopped: watch::Receiver<bool>,
}

impl Client {
    async fn run(mut self) -> Diary {
        let mut sending = None;
        loop {
            let Some(mut socket) = self.connect().await else {
                // With jitter, as the contract asks of clients.
                let pause = 50 + u64::try_from(below(100)).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                continue;
            };
            while self.send_one(&mut socket, &mut sending).await {
                if sending.is_none() && *self.stopped.borrow() {
                    return self.diary;
                }
            }
        }
    }

    /// A socket that has heard everything up to now; none when it could not be had.
    async fn connect(&mut self) -> Option<Socket> {
        let mut socket = self.account.socket(self.id).v2().attempt().await.ok()?;
        loop {
            match self.hear(&mut socket).await? {
                hello if hello["type"] == "hello" => break,
                _ => {}
            }
        }
        // Greeted in the same history as ever: nothing here rewrites it.
        let epoch = self.epoch.get_or_insert_with(|| socket.epoch()).clone();
        assert_eq!(
            socket.epoch(),
            epoch,
            "{}: the epoch changed",
            self.diary.name
        );
        let since = self.diary.heard.last_key_value().map_or(0, |(seq, _)| *seq);
        socket.resume(since, &epoch).await;
        loop {
            let frame = self.hear(&mut socket).await?;
            match frame["type"].as_str() {
                Some("sync") => return Some(socket),
                Some("reset") => panic!("{}: {frame}", self.diary.name),
                // The database is away: this socket cannot be used yet.
                Some("error") => return None,
                _ => {}
            }
        }
    }

    /// Sends the next message, or the one before once more, until it is acknowledged; `false`
    /// when the socket is gone.
    async fn send_one(&mut self, socket: &mut Socket, sending: &mut Option<String>) -> bool {
        let key = sending.get_or_insert_with(|| unique("m")).clone();
        let frame = json!({"type": "send", "client_message_id": key, "message": key});
        if socket.try_send_text(&frame.to_string()).await.is_err() {
            // Whatever the server said before it went is still to be heard.
            while self.hear(socket).await.is_some() {}
            return false;
        }
        loop {
            let Some(answer) = self.hear(socket).await else {
                return false;
            };
            if answer.is_null() {
                // No answer is not a failure: send again.
                return true;
            }
            if answer["client_message_id"] != key {
                continue;
            }
            match answer["type"].as_str() {
                Some("ack") => {
                    *sending = None;
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    self.check_history(&answer).await;
                    return true;
                }
                Some("error") => {
                    self.wait_after(&answer).await;
                    return true;
                }
                _ => {}
            }
        }
    }

    async fn wait_after(&mut self, refusal: &Value) {
        let code = refusal["code"].as_str().unwrap_or_default();
        assert_eq!(refusal["retryable"], true, "{}: {refusal}", self.diary.name);
        self.diary.refusals.push(code.to_owned());
        let wait = if refusal.get("retry_after_ms").is_some() {
            wait_of(refusal)
        } else {
            Duration::from_millis(200)
        };
        tokio::time::sleep(wait).await;
    }

    /// The cached history never lacks an acknowledged message, whatever fails or races.
    async fn check_history(&self, ack: &Value) {
        let path = format!("/api/chat/conversations/{}/messages/", self.id);
        let request = self.account.api.request(reqwest::Method::GET, &path);
        // Nobody answers while the server is away, or it says that its database is.
        let Ok(answer) = request.attempt().await else {
            return;
        };
        if answer.status == 503 {
            return;
        }
        let page = answer.expect(200);
        let there = page["messages"].as_array().is_some_and(|messages| {
            messages
                .iter()
                .any(|message| message["id"] == ack["message_id"])
        });
        assert!(there, "read from {}, without {ack}", page["source"]);
    }

    /// The next frame, written down; null when none came for a while, none when the socket ended.
    async fn hear(&mut self, socket: &mut Socket) -> Option<Value> {
        match socket.hear(ANSWER).await {
            Heard::Frame(frame) => {
                match frame["type"].as_str() {
                    Some("message") => self.diary.hear(&frame),
                    Some("ack") => self.diary.acknowledge(&frame),
                    _ => {}
                }
                Some(frame)
            }
            Heard::Nothing => Some(Value::Null),
            Heard::Closed(close) => {
                self.note_close(close);
                None
            }
        }
    }

    fn note_close(&mut self, close: Close) {
        let told_to_stay_away = (4400..4500).contains(&close.code);
        assert!(!told_to_stay_away, "{}: {close:?}", self.diary.name);
        self.diary.closes.push(close);
    }
}
