//! What the database promises, in its simplest form: a dense list of events and a key that is
//! stored once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Append, Appended, AppendedBatch, ClientMessageId, Denied, Epoch, MessageId, Number, Position,
    Seq, SessionId, StoredMessage, UserId,
};
use crate::protocol::{Event, Events, MessageEvent};

pub(super) struct ModelStore {
    pub(super) events: Vec<Event>,
    by_key: BTreeMap<(UserId, ClientMessageId), StoredMessage>,
    pub(super) revoked: BTreeSet<SessionId>,
    pub(super) removed: BTreeSet<UserId>,
    epoch: Epoch,
}

impl ModelStore {
    pub(super) fn new() -> Self {
        Self {
            events: Vec::new(),
            by_key: BTreeMap::new(),
            revoked: BTreeSet::new(),
            removed: BTreeSet::new(),
            epoch: Epoch("e".into()),
        }
    }

    pub(super) fn position(&self) -> Position {
        let length = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        Position {
            epoch: self.epoch.clone(),
            seq: Seq(length),
            number: Number(length),
        }
    }

    pub(super) fn append(&mut self, sends: &[Append]) -> AppendedBatch {
        AppendedBatch {
            epoch: self.epoch.clone(),
            outcomes: sends.iter().map(|send| self.append_one(send)).collect(),
        }
    }

    fn append_one(&mut self, send: &Append) -> Appended {
        if self.revoked.contains(&send.session_id) {
            return Appended::Denied(Denied::Session);
        }
        if self.removed.contains(&send.sender_id) {
            return Appended::Denied(Denied::NotMember);
        }
        let key = send
            .client_message_id
            .clone()
            .map(|id| (send.sender_id, id));
        if let Some(first) = key.as_ref().and_then(|key| self.by_key.get(key)) {
            return Appended::Duplicate(first.clone());
        }
        if send.repeat_only {
            return Appended::NoRepeat;
        }
        let next = self.position().seq.next().0;
        let stored = StoredMessage {
            message_id: MessageId(next + 1_000),
            seq: Seq(next),
            number: Number(next),
            timestamp: send.now,
            sender: format!("user{}", send.sender_id).into(),
        };
        self.events.push(Event::Message(MessageEvent {
            seq: stored.seq,
            number: stored.number,
            message_id: stored.message_id,
            message: send.message.clone().into_inner(),
            sender_id: send.sender_id,
            sender: stored.sender.clone(),
            timestamp: stored.timestamp,
            client_message_id: send.client_message_id.clone(),
            reply_to: send.reply_to,
            mentions: send.mentions.clone(),
            version: 1,
        }));
        if let Some(key) = key {
            self.by_key.insert(key, stored.clone());
        }
        Appended::Stored(stored)
    }

    pub(super) fn find(&self, user: UserId, id: &ClientMessageId) -> Option<&StoredMessage> {
        self.by_key.get(&(user, id.clone()))
    }

    /// How many messages of a user are newer than this one.
    pub(super) fn newer_of(&self, user: UserId, id: &ClientMessageId) -> usize {
        let newer = self
            .events
            .iter()
            .rev()
            .take_while(|Event::Message(message)| {
                message.sender_id != user || message.client_message_id.as_ref() != Some(id)
            });
        newer
            .filter(|Event::Message(message)| message.sender_id == user)
            .count()
    }

    pub(super) fn event(&self, seq: Seq) -> Option<&Event> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.events.get(index)
    }

    /// Every text in these worlds is another, so one that stands twice was stored twice.
    pub(super) fn check_once(&self) -> Result<(), String> {
        let mut texts = BTreeSet::new();
        for Event::Message(message) in &self.events {
            if !texts.insert((message.sender_id, &message.message)) {
                return Err(format!("event {} was stored before", message.seq));
            }
        }
        Ok(())
    }

    pub(super) fn after(&self, since: Seq, limit: i64) -> Events {
        let skip = usize::try_from(since.0).unwrap_or(0);
        let take = usize::try_from(limit).unwrap_or(0);
        Events {
            events: self.events.iter().skip(skip).take(take).cloned().collect(),
            position: self.position(),
        }
    }
}
