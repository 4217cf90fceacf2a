//! The reference model of the database: a dense list of events, and ids that are stored once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use colloquy_proto::domain::{
    AppendOutcome, BatchOutcome, ClientMessageId, Denied, Epoch, MessageId, MessageNumber,
    NewMessage, Position, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::{
    DeletedEvent, EditedEvent, Event, EventPage, MemberChange, MemberEvent, MessageEvent,
    StoredEvent,
};

pub(super) struct ModelStore {
    /// Each as it was when it was stored.
    pub(super) events: Vec<Event>,
    number: MessageNumber,
    /// Every text a message has had; the last one is empty if it is deleted.
    texts: BTreeMap<MessageId, Vec<Arc<str>>>,
    /// The removals of members.
    removals: Vec<(Seq, UserId)>,
    /// No two messages of these worlds have the same text, so a text stored twice is a duplicate.
    texts_stored: BTreeSet<(UserId, Arc<str>)>,
    stored_twice: Option<Seq>,
    by_key: BTreeMap<(UserId, ClientMessageId), StoredMessage>,
    pub(super) revoked: BTreeSet<SessionId>,
    pub(super) removed: BTreeSet<UserId>,
    epoch: Epoch,
}

impl ModelStore {
    pub(super) fn new() -> Self {
        Self {
            events: Vec::new(),
            number: MessageNumber(0),
            texts: BTreeMap::new(),
            removals: Vec::new(),
            texts_stored: BTreeSet::new(),
            stored_twice: None,
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
            number: self.number,
        }
    }

    /// The position of the last removal of a member.
    pub(super) fn last_removal_seq(&self) -> Seq {
        self.removals.last().map_or(Seq(0), |(seq, _)| *seq)
    }

    pub(super) fn append(&mut self, sends: &[NewMessage]) -> BatchOutcome {
        BatchOutcome {
            epoch: self.epoch.clone(),
            outcomes: sends.iter().map(|send| self.append_one(send)).collect(),
        }
    }

    fn append_one(&mut self, send: &NewMessage) -> AppendOutcome {
        if self.revoked.contains(&send.session_id) {
            return AppendOutcome::Denied(Denied::Session);
        }
        if self.removed.contains(&send.sender_id) {
            return AppendOutcome::Denied(Denied::NotMember);
        }
        let key = send
            .client_message_id
            .clone()
            .map(|id| (send.sender_id, id));
        if let Some(first) = key.as_ref().and_then(|key| self.by_key.get(key)) {
            return AppendOutcome::Duplicate(first.clone());
        }
        if send.dedup_only {
            return AppendOutcome::NotADuplicate;
        }
        let next = self.position().seq.next().0;
        let stored = StoredMessage {
            message_id: MessageId(next + 1_000),
            seq: Seq(next),
            number: MessageNumber(self.number.0 + 1),
            timestamp: send.now,
            sender: format!("user{}", send.sender_id).into(),
            mentions: send.mentions.clone(),
        };
        self.number = stored.number;
        let text = send.message.clone().into_inner();
        if !self.texts_stored.insert((send.sender_id, text.clone())) {
            self.stored_twice.get_or_insert(stored.seq);
        }
        self.texts.insert(stored.message_id, vec![text]);
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
        AppendOutcome::Stored(stored)
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
            .filter_map(message)
            .take_while(|message| {
                message.sender_id != user || message.client_message_id.as_ref() != Some(id)
            });
        newer.filter(|message| message.sender_id == user).count()
    }

    /// Edits the newest message of a user, or deletes it (`None`).
    pub(super) fn change_newest_of(
        &mut self,
        user: UserId,
        text: Option<&str>,
        now: Timestamp,
    ) -> Option<StoredEvent> {
        let mut messages = self.events.iter().rev().filter_map(message);
        let message_id = messages
            .find(|message| message.sender_id == user)?
            .message_id;
        let seq = self.position().seq.next();
        let texts = self.texts.get_mut(&message_id)?;
        if texts.last().is_some_and(|text| text.is_empty()) {
            return None;
        }
        texts.push(text.unwrap_or_default().into());
        let version = i64::try_from(texts.len()).ok()?;
        let event = match text {
            Some(text) => Event::Edited(EditedEvent {
                seq,
                message_id,
                message: text.into(),
                version,
                user_id: user,
                timestamp: now,
            }),
            None => Event::Deleted(DeletedEvent {
                seq,
                message_id,
                version,
                user_id: user,
                timestamp: now,
            }),
        };
        Some(self.push(event))
    }

    /// Removes or adds a member.
    pub(super) fn change_member(
        &mut self,
        user: UserId,
        change: MemberChange,
        now: Timestamp,
    ) -> Option<StoredEvent> {
        let seq = self.position().seq.next();
        let changes = match change {
            MemberChange::Removed => self.removed.insert(user),
            MemberChange::Added => self.removed.remove(&user),
        };
        if !changes {
            return None;
        }
        if change == MemberChange::Removed {
            self.removals.push((seq, user));
        }
        Some(self.push(Event::Member(MemberEvent {
            seq,
            user_id: user,
            username: format!("user{user}").into(),
            change,
            by: user,
            timestamp: now,
        })))
    }

    fn push(&mut self, event: Event) -> StoredEvent {
        self.events.push(event.clone());
        let epoch = self.epoch.clone();
        StoredEvent { epoch, event }
    }

    /// Whether the user was removed after the position `admitted_at` and not after `until`.
    pub(super) fn removed_after(&self, admitted_at: Seq, user: UserId, until: Seq) -> bool {
        let within = |seq: Seq| admitted_at < seq && seq <= until;
        let mut removals = self.removals.iter();
        removals.any(|(seq, removed)| *removed == user && within(*seq))
    }

    /// Whether a message had this text at this version.
    pub(super) fn had_text(&self, id: MessageId, version: i64, text: &str) -> bool {
        let index = usize::try_from(version - 1).ok();
        let texts = self.texts.get(&id);
        let then = texts.and_then(|texts| texts.get(index?));
        then.is_some_and(|then| **then == *text)
    }

    /// Whether this event is stored, with the text of then or a later one.
    pub(super) fn contains(&self, event: &Event) -> bool {
        let Some(stored) = self.event(event.seq()) else {
            return false;
        };
        let mut event = event.clone();
        let mut stored = stored.clone();
        let mut had_text = true;
        if let (Some(text), Some(stored)) = (text_of(&mut event), text_of(&mut stored)) {
            let is_later = *text.version >= *stored.version;
            had_text = is_later && self.had_text(text.id, *text.version, text.text);
            *text.version = *stored.version;
            text.text.clone_from(stored.text);
        }
        had_text && event == stored
    }

    /// The event with the newest text of its message, as the database returns it.
    fn with_newest_text(&self, event: &Event) -> Event {
        let newest = |id: MessageId| {
            let texts = self.texts.get(&id)?;
            Some((i64::try_from(texts.len()).ok()?, texts.last()?.clone()))
        };
        let mut event = event.clone();
        if let Some(text) = text_of(&mut event)
            && let Some(newest) = newest(text.id)
        {
            (*text.version, *text.text) = newest;
        }
        event
    }

    /// The position of the newest message up to `until`.
    pub(super) fn newest_message(&self, until: Seq) -> Seq {
        let length = usize::try_from(until.0).unwrap_or(0);
        let mut events = self.events.iter().take(length).rev();
        let newest = events.find(|event| event.is_message());
        newest.map_or(Seq(0), Event::seq)
    }

    pub(super) fn event(&self, seq: Seq) -> Option<&Event> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.events.get(index)
    }

    /// No message is stored twice.
    pub(super) fn check_once(&self) -> Result<(), String> {
        match self.stored_twice {
            Some(seq) => Err(format!("event {seq} was stored before")),
            None => Ok(()),
        }
    }

    pub(super) fn after(&self, since: Seq, limit: i64) -> EventPage {
        let skip = usize::try_from(since.0).unwrap_or(0);
        let take = usize::try_from(limit).unwrap_or(0);
        let events = self.events.iter().skip(skip).take(take);
        EventPage {
            events: events.map(|event| self.with_newest_text(event)).collect(),
            position: self.position(),
        }
    }
}

const fn message(event: &Event) -> Option<&MessageEvent> {
    match event {
        Event::Message(message) => Some(message),
        _ => None,
    }
}

/// The text of a message in an event.
struct EventText<'a> {
    id: MessageId,
    version: &'a mut i64,
    text: &'a mut Arc<str>,
}

const fn text_of(event: &mut Event) -> Option<EventText<'_>> {
    let (id, version, text) = match event {
        Event::Message(event) => (event.message_id, &mut event.version, &mut event.message),
        Event::Edited(event) => (event.message_id, &mut event.version, &mut event.message),
        Event::Deleted(_) | Event::Member(_) => return None,
    };
    Some(EventText { id, version, text })
}
