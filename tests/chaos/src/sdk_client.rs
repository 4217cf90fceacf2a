//! A client that uses the SDK for JavaScript as an application does: it hands over messages, is
//! reloaded with its storage, logs out and in, and shows its timeline at the end. Resuming, repeating
//! and reconnecting are the SDK's.
//!
//! The log has what the application sees: which sends ended as stored, and every row of the
//! timeline. Transmissions are recorded as well, because only a repeat may be a duplicate.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant as Moment};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use crate::accounts::PASSWORD;
use crate::client_log::LogEntry;
use crate::frame;
use crate::harness::Client;
use crate::message_key::MessageKey;
use crate::sdk_process::SdkLink;

/// How long a program runs on average before it is reloaded, or its user logs out.
const AVERAGE_LIFETIME: Duration = Duration::from_secs(10);

/// How often the client checks the phase of the run.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// How long the first connection may take, before any fault.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) struct SdkClient {
    pub(crate) client: Client,
    link: SdkLink,
    /// When each message was handed over. Its transmission is not earlier.
    handed_over: HashMap<MessageKey, Moment>,
    /// Those that are not acknowledged.
    pending: BTreeSet<MessageKey>,
    /// The `seq` of the last event that this life of the program has applied.
    applied: u64,
}

impl SdkClient {
    /// Logs in through the proxy at this address.
    pub(crate) fn open(client: Client, link: SdkLink, proxy: SocketAddr) -> Self {
        link.order(json!({
            "do": "open",
            "base_url": format!("http://{proxy}"),
            "username": client.user.username(),
            "password": PASSWORD,
            "conversation": client.conversation.id,
        }));
        Self {
            client,
            link,
            handed_over: HashMap::new(),
            pending: BTreeSet::new(),
            applied: 0,
        }
    }

    /// Waits for the first connection.
    pub(crate) async fn opened(&mut self) -> Result<()> {
        let report = timeout(OPEN_TIMEOUT, self.link.report()).await;
        let report = report.context("a client of the SDK did not connect")?;
        match report {
            Some(report) if report["on"] == "opened" => Ok(()),
            other => bail!("a client of the SDK reported {other:?} before it was connected"),
        }
    }

    /// Sends until the run ends and everything is acknowledged.
    pub(crate) async fn run(&mut self) {
        let mut next_send = Instant::now();
        let mut next_restart = Instant::now() + self.client.jitter(AVERAGE_LIFETIME);
        while self.client.is_running() || !self.pending.is_empty() {
            let now = Instant::now();
            if self.client.is_running() {
                if now >= next_send {
                    self.send();
                    next_send = now + self.client.jitter(self.client.behaviour.pause);
                }
                if now >= next_restart {
                    self.restart();
                    next_restart = now + self.client.jitter(AVERAGE_LIFETIME);
                }
            }
            match timeout_at(now + CHECK_INTERVAL, self.link.report()).await {
                Ok(Some(report)) => self.record(&report),
                Ok(None) => return self.violation("the process of the SDK has ended"),
                Err(_) => {}
            }
        }
    }

    /// Hands over one message, sometimes several. Bursts are for clients that send at once what they
    /// have: the SDK has at most one frame in flight.
    fn send(&mut self) {
        let window = self.client.behaviour.window;
        let count = match self.client.rng.u32(0..40) {
            0 => self.client.rng.usize(2..20),
            _ => 1,
        };
        for _ in 0..count.min(window.saturating_sub(self.pending.len())) {
            let key = self.client.new_key();
            self.handed_over.insert(key, Moment::now());
            self.pending.insert(key);
            let order = json!({"do": "send", "id": key.to_string(), "text": key.text()});
            self.link.order(order);
        }
    }

    fn restart(&mut self) {
        let what = if self.client.rng.u32(0..3) == 0 {
            "relogin"
        } else {
            "reload"
        };
        self.link.order(json!({"do": what}));
    }

    /// Receives the whole timeline, once it reaches this position.
    pub(crate) async fn catch_up(&mut self, (seq, number): (u64, u64)) {
        // Only the last timeline counts.
        self.client.with_log(|log| {
            let is_row = |entry: &LogEntry| matches!(entry, LogEntry::HistoryRead(_));
            log.entries.retain(|entry| !is_row(entry));
        });
        self.link
            .order(json!({"do": "show", "seq": seq, "number": number}));
        let mut last = 0;
        while let Some(report) = self.link.report().await {
            match report["on"].as_str() {
                Some("row") => last = self.row(&report["message"], last),
                Some("shown") => {
                    if (&report["echoes"], &report["holes"]) != (&json!(0), &json!(0)) {
                        self.violation(format!("the timeline has more than messages: {report}"));
                    }
                    return;
                }
                _ => self.record(&report),
            }
        }
        self.violation("the process of the SDK has ended");
    }

    /// Records a row of the timeline after that with the number `last`; returns its number.
    fn row(&mut self, message: &Value, last: u64) -> u64 {
        match frame::history_message(message) {
            Ok(event) => {
                if event.number <= last {
                    self.violation(format!("after number {last} the timeline has {event:?}"));
                }
                self.client.record(LogEntry::HistoryRead(event));
                event.number
            }
            Err(violation) => {
                self.violation(violation);
                last
            }
        }
    }

    fn record(&mut self, report: &Value) {
        match report["on"].as_str().unwrap_or_default() {
            "transmitted" => self.transmitted(report),
            "stored" => self.stored(report),
            "failed" => {
                let code = report["code"].as_str().unwrap_or("none");
                let retryable = report["retryable"] == true;
                self.client.with_log(|log| log.refused(code, retryable));
            }
            "event" => {
                let seq = report["seq"].as_u64().unwrap_or_default();
                if seq <= self.applied {
                    self.violation(format!("applied {seq} after {}", self.applied));
                }
                self.applied = seq;
            }
            "reloaded" => self.applied = 0,
            "refused" => {
                let code = report["code"]
                    .as_u64()
                    .and_then(|code| code.try_into().ok());
                self.client
                    .with_log(|log| log.closed(code.unwrap_or_default(), "as the SDK reports"));
            }
            _ => self.violation(format!("the SDK reports {report}")),
        }
    }

    fn transmitted(&mut self, report: &Value) {
        match key_of(report).and_then(|key| Some((key, *self.handed_over.get(&key)?))) {
            Some((key, at)) => self.client.record(LogEntry::Sent { key, at }),
            None => self.violation(format!("transmitted what no application sent: {report}")),
        }
    }

    fn stored(&mut self, report: &Value) {
        let count = |name: &str| report[name].as_u64();
        let position = (|| Some((count("message_id")?, count("seq")?, count("number")?)))();
        let (Some(key), Some((message_id, seq, number))) = (key_of(report), position) else {
            return self.violation(format!("incomplete: {report}"));
        };
        if !self.pending.remove(&key) {
            self.violation(format!("ended twice: {report}"));
        }
        self.client.record(LogEntry::Acknowledged {
            key,
            message_id,
            seq,
            number,
            duplicate: report["duplicate"] == true,
        });
    }

    fn violation(&self, sentence: impl Into<String>) {
        self.client.with_log(|log| log.violation(sentence));
    }
}

fn key_of(report: &Value) -> Option<MessageKey> {
    MessageKey::parse(report["id"].as_str()?)
}
