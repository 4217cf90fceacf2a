//! What a client checks in every frame: events are stored and arrive in order, acknowledgements are
//! true, a resume is complete.

use std::borrow::Cow;

use serde::Deserialize;

use super::client::{Client, Resume};
use super::model_store::ModelStore;
use colloquy_proto::domain::{ClientMessageId, MessageId, Seq};
use colloquy_proto::protocol::{Event, MAX_RESUME_EVENTS};

/// How many of its user's newest sends a snapshot keeps.
const SAVED_SENDS: usize = 4;

/// Every field a client reads, of any frame.
#[derive(Deserialize)]
struct ReceivedFrame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    seq: Option<i64>,
    message_id: Option<i64>,
    message: Option<Cow<'a, str>>,
    version: Option<i64>,
    user_id: Option<i64>,
    client_message_id: Option<Cow<'a, str>>,
    duplicate: Option<bool>,
    #[serde(default)]
    events: Vec<ReceivedFrame<'a>>,
    epoch: Option<Cow<'a, str>>,
    from: Option<i64>,
    to: Option<i64>,
    count: Option<i64>,
    complete: Option<bool>,
    reason: Option<Cow<'a, str>>,
}

/// What a client does in response to a frame.
pub(super) enum ClientAction {
    None,
    Send(String),
    /// Requests a newer token and sends it.
    RenewToken,
}

impl ReceivedFrame<'_> {
    /// Whether it is this event, with the text of then or a later one.
    fn matches(&self, stored: &Event, store: &ModelStore) -> bool {
        let kind = self.kind.as_deref();
        let (message_id, version) = (self.message_id, self.version.unwrap_or(0));
        let text = self.message.as_deref().unwrap_or_default();
        let has_text = |id: MessageId| {
            message_id == Some(id.0)
                && version >= stored.version()
                && store.had_text(id, version, text)
        };
        match stored {
            Event::Message(message) => kind == Some("message") && has_text(message.message_id),
            Event::Edited(edited) => kind == Some("message.edited") && has_text(edited.message_id),
            Event::Deleted(deleted) => {
                kind == Some("message.deleted") && has_text(deleted.message_id)
            }
            Event::Member(member) => {
                kind == Some("member") && self.user_id == Some(member.user_id.0)
            }
        }
    }
}

impl Client {
    /// Receives one frame.
    pub(super) fn receive(
        &mut self,
        text: &str,
        admitted_at: Seq,
        store: &ModelStore,
    ) -> Result<ClientAction, String> {
        let frame: ReceivedFrame<'_> =
            serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))?;
        if frame.error.is_some() {
            return self.check_error(&frame, store).map(|()| ClientAction::None);
        }
        if !self.profile.v2 {
            if frame.message_id.is_none() || frame.message.is_none() {
                return Err(format!("a v1 socket got {text}"));
            }
            return self
                .event(&frame, admitted_at, store)
                .map(|()| ClientAction::None);
        }
        match frame.kind.as_deref().unwrap_or_default() {
            "hello" => {
                self.check_position(frame.seq, admitted_at, store)?;
                return self.hello(&frame);
            }
            "batch" if frame.events.len() < 2 => return Err(format!("a batch of one: {text}")),
            "batch" => frame
                .events
                .iter()
                .try_for_each(|event| self.event(event, admitted_at, store))?,
            "message" | "message.edited" | "message.deleted" | "member" => {
                self.event(&frame, admitted_at, store)?;
            }
            "ack" => self.check_ack(&frame, store)?,
            "sync" => {
                self.check_position(frame.to, admitted_at, store)?;
                self.sync(&frame)?;
            }
            "reset" => {
                // The history is loaded over REST.
                let seq = frame.seq.ok_or("a reset without seq")?;
                self.check_position(Some(seq), admitted_at, store)?;
                self.check_reset(&frame, store)?;
                (self.position, self.resume) = (Some(seq), None);
                self.set_position(seq);
                self.epoch = frame.epoch.map(Cow::into_owned);
                self.resets += 1;
            }
            "auth.expiring" => return Ok(ClientAction::RenewToken),
            "auth.ok" | "pong" => {}
            other => return Err(format!("a frame of unknown type {other:?}")),
        }
        Ok(ClientAction::None)
    }

    /// A Room at this position has taken in every removal up to it.
    fn check_position(
        &self,
        at: Option<i64>,
        admitted_at: Seq,
        store: &ModelStore,
    ) -> Result<(), String> {
        match at {
            Some(at) if store.removed_after(admitted_at, self.user, Seq(at)) => Err(format!(
                "user {} was removed and sent position {at}",
                self.user
            )),
            _ => Ok(()),
        }
    }

    fn hello(&mut self, frame: &ReceivedFrame<'_>) -> Result<ClientAction, String> {
        let seq = frame.seq.ok_or("a hello without seq")?;
        self.position = Some(seq);
        self.epoch = frame.epoch.as_deref().map(str::to_owned);
        if self.complete_to.is_none() {
            self.set_position(seq);
            return Ok(ClientAction::None);
        }
        Ok(self
            .resume(0)
            .map_or(ClientAction::None, ClientAction::Send))
    }

    fn event(
        &mut self,
        frame: &ReceivedFrame<'_>,
        admitted_at: Seq,
        store: &ModelStore,
    ) -> Result<(), String> {
        let seq = frame.seq.ok_or("an event without seq")?;
        let Some(stored) = store.event(Seq(seq)) else {
            return Err(format!("event {seq} was delivered, but is not stored"));
        };
        if !frame.matches(stored, store) {
            return Err(format!("event {seq} was delivered differently than stored"));
        }
        if store.removed_after(admitted_at, self.user, Seq(seq)) {
            return Err(format!("user {} was removed and got {seq}", self.user));
        }
        // v1 sockets receive messages only.
        let before = if self.profile.v2 {
            seq - 1
        } else {
            store.newest_message(Seq(seq - 1)).0
        };
        match &mut self.resume {
            _ if self.position.is_some_and(|at| at < seq && before <= at) => {}
            Some(Resume { since, begun }) if !*begun && seq == *since + 1 => *begun = true,
            _ => {
                return Err(format!(
                    "seq {seq} came after {:?} on one socket",
                    self.position
                ));
            }
        }
        self.position = Some(seq);
        self.delivered += 1;
        if let Some(complete_to) = &mut self.complete_to
            && seq > *complete_to
        {
            self.ahead.insert(seq);
            while self.ahead.remove(&(*complete_to + 1)) {
                *complete_to += 1;
            }
        }
        Ok(())
    }

    /// These worlds have one epoch, so only the length of the history justifies a reset.
    fn check_reset(&self, frame: &ReceivedFrame<'_>, store: &ModelStore) -> Result<(), String> {
        let since = self.resume.map_or(i64::MAX, |resume| resume.since);
        let missed = store.position().seq.0.saturating_sub(since);
        let too_old = usize::try_from(missed).is_ok_and(|missed| missed > MAX_RESUME_EVENTS);
        if frame.reason.as_deref() == Some("too_old") && too_old {
            return Ok(());
        }
        Err(format!(
            "a resume from {since} was answered with a reset: {:?}",
            frame.reason
        ))
    }

    fn set_position(&mut self, seq: i64) {
        self.complete_to = Some(seq);
        self.ahead.retain(|ahead| *ahead > seq);
    }

    fn check_ack(&mut self, frame: &ReceivedFrame<'_>, store: &ModelStore) -> Result<(), String> {
        let name = frame.client_message_id.as_deref().unwrap_or_default();
        let id = ClientMessageId::new(name).map_err(|error| format!("ack of {name:?}: {error}"))?;
        let Some(stored) = store.find(self.user, &id) else {
            return Err(format!("{name} was acknowledged, but is not stored"));
        };
        if (frame.message_id, frame.seq) != (Some(stored.message_id.0), Some(stored.seq.0)) {
            return Err(format!(
                "{name} was acknowledged at {:?}, stored at {}",
                frame.seq, stored.seq
            ));
        }
        let Some(number) = self.number_of(name) else {
            return Err(format!("{} got the ack of {name}", self.session.0));
        };
        let sends = &mut self.sends;
        let sent_once = sends.times_sent.get(&number).is_none_or(|times| *times < 2);
        if frame.duplicate == Some(true) && sent_once {
            return Err(format!(
                "{name} was sent once and acknowledged as a duplicate"
            ));
        }
        if frame.duplicate == Some(false) && !sends.acked_first.insert(number) {
            return Err(format!("{name} was acknowledged twice as new"));
        }
        sends.unacked.remove(&number);
        sends.newest = self.connection.map(|connection| (number, connection));
        sends.acks += 1;
        self.count_copy(number, |(acked, _)| *acked += 1)
    }

    fn check_error(&mut self, frame: &ReceivedFrame<'_>, store: &ModelStore) -> Result<(), String> {
        let code = frame.code.as_deref().unwrap_or_default();
        if !matches!(
            code,
            "throttled" | "unavailable" | "overloaded" | "token_expired"
        ) {
            return Err(format!("a correct client got the error {code:?}"));
        }
        if frame.kind.is_some() != self.profile.v2 {
            return Err("an error in the form of the other protocol version".into());
        }
        let name = frame.client_message_id.as_deref().unwrap_or_default();
        let Some(number) = self.number_of(name).filter(|_| code == "throttled") else {
            return Ok(());
        };
        let newest = self.sends.newest;
        let is_saved =
            newest.is_some_and(|(newest, on)| newest == number && self.connection == Some(on));
        let id = ClientMessageId::new(name).map_err(|error| error.to_string())?;
        if is_saved && store.newer_of(self.user, &id) < SAVED_SENDS {
            return Err(format!(
                "{name} is acknowledged, and its repeat was throttled"
            ));
        }
        self.count_copy(number, |(_, throttled)| *throttled += 1)
    }

    /// The copies of one send in one frame have the same outcome.
    fn count_copy(
        &mut self,
        number: u64,
        count: impl FnOnce(&mut (u32, u32)),
    ) -> Result<(), String> {
        let Some(copies) = self.sends.bursts.get_mut(&number) else {
            return Ok(());
        };
        count(copies);
        if copies.0 > 0 && copies.1 > 0 {
            return Err("one copy of a send was acknowledged, another throttled".into());
        }
        Ok(())
    }

    fn sync(&mut self, frame: &ReceivedFrame<'_>) -> Result<(), String> {
        let Some(Resume { since, .. }) = self.resume.take() else {
            return Err("a sync without a resume".into());
        };
        let to = frame.to.ok_or("a sync without an end")?;
        if frame.from != Some(since) || frame.complete != Some(true) {
            return Err(format!(
                "resumed from {since}, synced from {:?}",
                frame.from
            ));
        }
        if to == since {
            self.position = Some(to);
        }
        if self.position != Some(to) || frame.count != Some(to - since) {
            return Err(format!(
                "a sync to {to} that left the socket at {:?}",
                self.position
            ));
        }
        if self.complete_to.is_some_and(|complete_to| complete_to < to) {
            return Err(format!(
                "a sync to {to} with holes before: {:?}",
                self.complete_to
            ));
        }
        self.synced += 1;
        Ok(())
    }

    /// With nothing in flight, every event up to `newest` has been received.
    pub(super) fn check_served(&self, newest: Seq, store: &ModelStore) -> Result<(), String> {
        let (complete_to, newest) = if self.profile.v2 {
            (self.complete_to, newest)
        } else {
            (self.position, store.newest_message(newest))
        };
        if complete_to.is_some_and(|seq| seq < newest.0) {
            return Err(format!(
                "{} is complete up to {complete_to:?}, not {newest}",
                self.session.0
            ));
        }
        Ok(())
    }

    /// At the end, every send is acknowledged and every event received.
    pub(super) fn check_complete(&self, store: &ModelStore) -> Result<(), String> {
        if !self.started || self.stopped {
            return Ok(());
        }
        if self.connection.is_none() {
            return Err(format!("{} is not connected at the end", self.session.0));
        }
        if self.profile.repeats && !self.sends.unacked.is_empty() {
            return Err(format!(
                "{} never got an acknowledgement of {:?}",
                self.session.0, self.sends.unacked
            ));
        }
        if self.resume.is_some() {
            return Err(format!("{} never got a sync", self.session.0));
        }
        self.check_served(store.position().seq, store)
    }
}
