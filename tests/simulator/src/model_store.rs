//! What the database promises, in its simplest form: a dense list of events and a key that is
//! stored once.

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
    /// Every text that a message has had; the last is empty once it was deleted.
    texts: BTreeMap<MessageId, Vec<Arc<str>>>,
    /// When memberships ended.
    left: Vec<(Seq, UserId)>,
    /// Every text in these worlds is another, so one that stands twice was stored twice.
    said: BTreeSet<(UserId, Arc<str>)>,
    twice: Option<Seq>,
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
            left: Vec::new(),
            said: BTreeSet::new(),
            twice: None,
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

    /// When somebody last ceased to be a member.
    pub(super) fn last_removal_seq(&self) -> Seq {
        self.left.last().map_or(Seq(0), |(seq, _)| *seq)
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
        };
        self.number = stored.number;
        let text = send.message.clone().into_inner();
        if !self.said.insert((send.sender_id, text.clone())) {
            self.twice.get_or_insert(stored.seq);
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

    /// Gives the newest message of a user another text, or none.
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
        Some(self.note(event))
    }

    /// Ends or begins a membership.
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
            self.left.push((seq, user));
        }
        Some(self.note(Event::Member(MemberEvent {
            seq,
            user_id: user,
            username: format!("user{user}").into(),
            change,
            by: user,
            timestamp: now,
        })))
    }

    fn note(&mut self, event: Event) -> StoredEvent {
        self.events.push(event.clone());
        let epoch = self.epoch.clone();
        StoredEvent { epoch, event }
    }

    /// Whether the user's membership ended after this position; `until` says where at the latest.
    pub(super) fn left_after(&self, granted: Seq, user: UserId, until: Seq) -> bool {
        let within = |seq: Seq| granted < seq && seq <= until;
        let mut left = self.left.iter();
        left.any(|(seq, left)| *left == user && within(*seq))
    }

    /// Whether a message ever read so.
    pub(super) fn has_read(&self, id: MessageId, version: i64, text: &str) -> bool {
        let index = usize::try_from(version - 1).ok();
        let texts = self.texts.get(&id);
        let then = texts.and_then(|texts| texts.get(index?));
        then.is_some_and(|then| **then == *text)
    }

    /// Whether this event is stored: as it was then, or as its message has read since.
    pub(super) fn knows(&self, told: &Event) -> bool {
        let Some(stored) = self.event(told.seq()) else {
            return false;
        };
        let mut told = told.clone();
        let mut then = stored.clone();
        let mut once = true;
        if let (Some(told), Some(then)) = (reading(&mut told), reading(&mut then)) {
            once =
                *told.version >= *then.version && self.has_read(told.id, *told.version, told.text);
            *told.version = *then.version;
            told.text.clone_from(then.text);
        }
        once && told == then
    }

    /// The event as the database tells it now.
    fn now(&self, event: &Event) -> Event {
        let newest = |id: MessageId| {
            let texts = self.texts.get(&id)?;
            Some((i64::try_from(texts.len()).ok()?, texts.last()?.clone()))
        };
        let mut event = event.clone();
        if let Some(told) = reading(&mut event)
            && let Some(newest) = newest(told.id)
        {
            (*told.version, *told.text) = newest;
        }
        event
    }

    /// The newest message up to here.
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

    /// Nothing is stored twice.
    pub(super) fn check_once(&self) -> Result<(), String> {
        match self.twice {
            Some(seq) => Err(format!("event {seq} was stored before")),
            None => Ok(()),
        }
    }

    pub(super) fn after(&self, since: Seq, limit: i64) -> EventPage {
        let skip = usize::try_from(since.0).unwrap_or(0);
        let take = usize::try_from(limit).unwrap_or(0);
        let events = self.events.iter().skip(skip).take(take);
        EventPage {
            events: events.map(|event| self.now(event)).collect(),
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

/// What an event tells of a message's text.
struct Reading<'a> {
    id: MessageId,
    version: &'a mut i64,
    text: &'a mut Arc<str>,
}

const fn reading(event: &mut Event) -> Option<Reading<'_>> {
    let (id, version, text) = match event {
        Event::Message(event) => (event.message_id, &mut event.version, &mut event.message),
        Event::Edited(event) => (event.message_id, &mut event.version, &mut event.message),
        Event::Deleted(_) | Event::Member(_) => return None,
    };
    Some(Reading { id, version, text })
}
