//! A well-made client: it names its sends, repeats what was not acknowledged, resumes after every
//! reconnect, and checks every frame it gets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::model_store::ModelStore;
use crate::domain::{ClientMessageId, Seq, SessionId, UserId};
use crate::protocol::Event;
use crate::room::ConnectionId;

pub(super) struct Client {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) v2: bool,
    pub(super) connection: Option<ConnectionId>,
    /// Sends without an acknowledgement, by number.
    pub(super) unacked: BTreeSet<u64>,
    acked: BTreeMap<u64, (i64, i64)>,
    next_send: u64,
    /// Events this client has, by position, and from where on it must have all.
    log: BTreeMap<i64, i64>,
    from: Option<i64>,
    /// The position on this socket, and a resume that was not answered yet.
    at: Option<i64>,
    resuming: Option<i64>,
    pub(super) acks: u64,
    pub(super) delivered: u64,
    pub(super) synced: u64,
}

impl Client {
    pub(super) fn new(user: i64, session: &str, v2: bool) -> Self {
        Self {
            user: UserId(user),
            session: SessionId(session.into()),
            v2,
            connection: None,
            unacked: BTreeSet::new(),
            acked: BTreeMap::new(),
            next_send: 0,
            log: BTreeMap::new(),
            from: None,
            at: None,
            resuming: None,
            acks: 0,
            delivered: 0,
            synced: 0,
        }
    }

    /// Let in when the conversation stood at `seq`: from there a v1 socket gets everything.
    pub(super) fn connected(&mut self, id: ConnectionId, seq: Seq) {
        self.connection = Some(id);
        self.at = (!self.v2).then_some(seq.0);
        self.resuming = None;
    }

    /// A new send, as a frame.
    pub(super) fn send(&mut self) -> String {
        self.next_send += 1;
        if !self.v2 {
            return json!({"message": format!("v1 {}", self.next_send)}).to_string();
        }
        self.unacked.insert(self.next_send);
        self.frame_of(self.next_send)
    }

    /// Everything not acknowledged, once more.
    pub(super) fn repeat(&self) -> Vec<String> {
        self.unacked
            .iter()
            .map(|number| self.frame_of(*number))
            .collect()
    }

    fn frame_of(&self, number: u64) -> String {
        let id = self.name_of(number);
        json!({"type": "send", "client_message_id": id, "message": format!("{id}!")}).to_string()
    }

    /// Two logins of one user share no ids.
    fn name_of(&self, number: u64) -> String {
        format!("{}.{number}", self.session.0)
    }

    /// Takes one frame; may answer with another.
    pub(super) fn receive(
        &mut self,
        text: &str,
        store: &ModelStore,
    ) -> Result<Option<String>, String> {
        let frame: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        if !self.v2 {
            return self.receive_v1(&frame, store).map(|()| None);
        }
        match frame["type"].as_str().unwrap_or_default() {
            "hello" => return self.hello(&frame),
            "batch" => {
                for event in frame["events"].as_array().into_iter().flatten() {
                    self.event(event, store)?;
                }
            }
            "message" => self.event(&frame, store)?,
            "ack" => self.ack(&frame, store)?,
            "sync" => self.sync(&frame)?,
            "reset" => {
                let seq = frame["seq"].as_i64().unwrap_or(-1);
                self.at = Some(seq);
                self.resuming = None;
                self.from = Some(seq);
            }
            "error" | "auth.expiring" | "pong" => {}
            other => return Err(format!("a frame of unknown type {other:?}")),
        }
        Ok(None)
    }

    fn receive_v1(&mut self, frame: &Value, store: &ModelStore) -> Result<(), String> {
        if frame.get("error").is_some() && frame.get("type").is_none() {
            return Ok(());
        }
        if frame.get("message_id").is_none() {
            return Err(format!("a v1 socket got {frame}"));
        }
        self.event(frame, store)
    }

    fn hello(&mut self, frame: &Value) -> Result<Option<String>, String> {
        let seq = frame["seq"].as_i64().ok_or("hello without seq")?;
        self.at = Some(seq);
        let Some(from) = self.from else {
            self.from = Some(seq);
            return Ok(None);
        };
        let since = self.position(from);
        self.resuming = Some(since);
        Ok(Some(
            json!({"type": "resume", "since": since, "epoch": frame["epoch"]}).to_string(),
        ))
    }

    /// The last position without a gap.
    fn position(&self, from: i64) -> i64 {
        let missing = (from + 1..=i64::MAX).find(|seq| !self.log.contains_key(seq));
        missing.map_or(from, |missing| missing - 1)
    }

    fn event(&mut self, event: &Value, store: &ModelStore) -> Result<(), String> {
        let seq = event["seq"].as_i64().ok_or("an event without seq")?;
        let Some(Event::Message(stored)) = store.event(Seq(seq)) else {
            return Err(format!("event {seq} was delivered, but is not stored"));
        };
        if event["message_id"] != stored.message_id.0 || event["message"] != *stored.message {
            return Err(format!(
                "event {seq} was delivered with other content than stored"
            ));
        }
        let resumed = self.resuming.is_some_and(|since| seq == since + 1);
        let expected = self.at.is_none_or(|at| seq == at + 1);
        if !expected && !resumed {
            return Err(format!("seq {seq} came after {:?} on one socket", self.at));
        }
        self.at = Some(seq);
        self.delivered += 1;
        self.log.insert(seq, stored.message_id.0);
        Ok(())
    }

    fn ack(&mut self, frame: &Value, store: &ModelStore) -> Result<(), String> {
        let name = frame["client_message_id"].as_str().unwrap_or_default();
        let id = ClientMessageId::new(name).map_err(|error| format!("ack of {name:?}: {error}"))?;
        let Some(stored) = store.find(self.user, &id) else {
            return Err(format!("{name} was acknowledged, but is not stored"));
        };
        let told = (frame["message_id"].as_i64(), frame["seq"].as_i64());
        if told != (Some(stored.message_id.0), Some(stored.seq.0)) {
            return Err(format!(
                "{name} was acknowledged as {told:?}, stored as {stored:?}"
            ));
        }
        let number = name
            .rsplit('.')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        self.unacked.remove(&number);
        self.acked
            .insert(number, (stored.message_id.0, stored.seq.0));
        self.acks += 1;
        Ok(())
    }

    fn sync(&mut self, frame: &Value) -> Result<(), String> {
        let (from, to) = (frame["from"].as_i64(), frame["to"].as_i64());
        let Some(since) = self.resuming.take() else {
            return Err("a sync nobody asked for".into());
        };
        if from != Some(since) {
            return Err(format!("resumed from {since}, synced from {from:?}"));
        }
        if to == from {
            self.at = to;
        }
        if self.at != to || frame["count"].as_i64() != to.map(|to| to - since) {
            return Err(format!(
                "a sync to {to:?} that left the socket at {:?}: {frame}",
                self.at
            ));
        }
        self.synced += 1;
        Ok(())
    }

    /// With nothing under way: everything up to `newest` has been received.
    pub(super) fn check_served(&self, store: &ModelStore, newest: Seq) -> Result<(), String> {
        if store.revoked.contains(&self.session) || self.connection.is_none() {
            return Ok(());
        }
        let have = if self.v2 {
            self.from.map(|from| self.position(from))
        } else {
            self.at
        };
        if have.is_some_and(|have| have < newest.0) {
            return Err(format!(
                "{:?} has all up to {have:?}, not {newest}",
                self.session
            ));
        }
        Ok(())
    }

    /// At the end, with nothing left to do: everything acknowledged, everything received.
    pub(super) fn check_complete(&self, store: &ModelStore) -> Result<(), String> {
        if !self.v2 || store.revoked.contains(&self.session) {
            return Ok(());
        }
        if !self.unacked.is_empty() {
            return Err(format!(
                "{:?} waits for ever for {:?}",
                self.session, self.unacked
            ));
        }
        let Some(from) = self.from else { return Ok(()) };
        let (have, head) = (self.position(from), store.position().seq.0);
        if have != head {
            return Err(format!(
                "{:?} has all up to {have}, the store up to {head}",
                self.session
            ));
        }
        Ok(())
    }
}
