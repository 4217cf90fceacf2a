//! What a client holds against every frame it gets: that events are stored and come in order,
//! that acknowledgements tell the truth, that a resume is whole.

use std::borrow::Cow;

use serde::Deserialize;

use super::client::{Client, Resume};
use super::model_store::ModelStore;
use colloquy_proto::domain::{ClientMessageId, MessageId, Seq};
use colloquy_proto::protocol::{Event, MAX_RESUME_EVENTS};

/// How many of its user's newest sends a connection is sure to be known for, also after a sleep.
const REMEMBERED: usize = 4;

/// Every field a client looks at, of any frame.
#[derive(Deserialize)]
struct Heard<'a> {
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
    events: Vec<Heard<'a>>,
    epoch: Option<Cow<'a, str>>,
    from: Option<i64>,
    to: Option<i64>,
    count: Option<i64>,
    complete: Option<bool>,
    reason: Option<Cow<'a, str>>,
}

/// What a client does about a frame.
pub(super) enum Answer {
    Nothing,
    /// Sends a frame.
    Say(String),
    /// Asks for a fresher token and sends it.
    Renew,
}

impl Heard<'_> {
    /// Whether it is this event, as it was or as its message has read since.
    fn tells(&self, stored: &Event, store: &ModelStore) -> bool {
        let kind = self.kind.as_deref();
        let (message_id, version) = (self.message_id, self.version.unwrap_or(0));
        let text = self.message.as_deref().unwrap_or_default();
        let reads = |id: MessageId| {
            message_id == Some(id.0)
                && version >= stored.version()
                && store.has_read(id, version, text)
        };
        match stored {
            Event::Message(message) => kind == Some("message") && reads(message.message_id),
            Event::Edited(edited) => kind == Some("message.edited") && reads(edited.message_id),
            Event::Deleted(deleted) => kind == Some("message.deleted") && reads(deleted.message_id),
            Event::Member(member) => {
                kind == Some("member") && self.user_id == Some(member.user_id.0)
            }
        }
    }
}

impl Client {
    /// Takes one frame.
    pub(super) fn receive(
        &mut self,
        text: &str,
        granted: Seq,
        store: &ModelStore,
    ) -> Result<Answer, String> {
        let heard: Heard<'_> =
            serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))?;
        if heard.error.is_some() {
            return self.refused(&heard, store).map(|()| Answer::Nothing);
        }
        if !self.member.v2 {
            if heard.message_id.is_none() || heard.message.is_none() {
                return Err(format!("a v1 socket got {text}"));
            }
            return self.event(&heard, granted, store).map(|()| Answer::Nothing);
        }
        match heard.kind.as_deref().unwrap_or_default() {
            "hello" => {
                self.stands(heard.seq, granted, store)?;
                return self.hello(&heard);
            }
            "batch" if heard.events.len() < 2 => return Err(format!("a batch of one: {text}")),
            "batch" => heard
                .events
                .iter()
                .try_for_each(|event| self.event(event, granted, store))?,
            "message" | "message.edited" | "message.deleted" | "member" => {
                self.event(&heard, granted, store)?;
            }
            "ack" => self.acknowledged(&heard, store)?,
            "sync" => {
                self.stands(heard.to, granted, store)?;
                self.sync(&heard)?;
            }
            "reset" => {
                // The history is loaded over REST.
                let seq = heard.seq.ok_or("a reset without seq")?;
                self.stands(Some(seq), granted, store)?;
                self.check_reset(&heard, store)?;
                (self.at, self.resume) = (Some(seq), None);
                self.stand_at(seq);
                self.epoch = heard.epoch.map(Cow::into_owned);
                self.resets += 1;
            }
            "auth.expiring" => return Ok(Answer::Renew),
            "auth.ok" | "pong" => {}
            other => return Err(format!("a frame of unknown type {other:?}")),
        }
        Ok(Answer::Nothing)
    }

    /// A Room that stands here has met every departure up to here.
    fn stands(&self, at: Option<i64>, granted: Seq, store: &ModelStore) -> Result<(), String> {
        match at {
            Some(at) if store.left_after(granted, self.user, Seq(at)) => {
                Err(format!("user {} was removed and told of {at}", self.user))
            }
            _ => Ok(()),
        }
    }

    fn hello(&mut self, heard: &Heard<'_>) -> Result<Answer, String> {
        let seq = heard.seq.ok_or("a hello without seq")?;
        self.at = Some(seq);
        self.epoch = heard.epoch.as_deref().map(str::to_owned);
        if self.have.is_none() {
            self.stand_at(seq);
            return Ok(Answer::Nothing);
        }
        Ok(self.resume(0).map_or(Answer::Nothing, Answer::Say))
    }

    fn event(&mut self, heard: &Heard<'_>, granted: Seq, store: &ModelStore) -> Result<(), String> {
        let seq = heard.seq.ok_or("an event without seq")?;
        let Some(stored) = store.event(Seq(seq)) else {
            return Err(format!("event {seq} was delivered, but is not stored"));
        };
        if !heard.tells(stored, store) {
            return Err(format!("event {seq} was delivered otherwise than stored"));
        }
        if store.left_after(granted, self.user, Seq(seq)) {
            return Err(format!("user {} was removed and got {seq}", self.user));
        }
        // What v1 sockets do not know they are not told.
        let before = if self.member.v2 {
            seq - 1
        } else {
            store.newest_message(Seq(seq - 1)).0
        };
        match &mut self.resume {
            _ if self.at.is_some_and(|at| at < seq && before <= at) => {}
            Some(Resume { since, begun }) if !*begun && seq == *since + 1 => *begun = true,
            _ => return Err(format!("seq {seq} came after {:?} on one socket", self.at)),
        }
        self.at = Some(seq);
        self.delivered += 1;
        if let Some(have) = &mut self.have
            && seq > *have
        {
            self.ahead.insert(seq);
            while self.ahead.remove(&(*have + 1)) {
                *have += 1;
            }
        }
        Ok(())
    }

    /// The history of these worlds is one, so that only its length excuses a reset.
    fn check_reset(&self, heard: &Heard<'_>, store: &ModelStore) -> Result<(), String> {
        let since = self.resume.map_or(i64::MAX, |resume| resume.since);
        let missed = store.position().seq.0.saturating_sub(since);
        let too_old = usize::try_from(missed).is_ok_and(|missed| missed > MAX_RESUME_EVENTS);
        if heard.reason.as_deref() == Some("too_old") && too_old {
            return Ok(());
        }
        Err(format!(
            "a resume from {since} was answered with a reset: {:?}",
            heard.reason
        ))
    }

    fn stand_at(&mut self, seq: i64) {
        self.have = Some(seq);
        self.ahead.retain(|ahead| *ahead > seq);
    }

    fn acknowledged(&mut self, heard: &Heard<'_>, store: &ModelStore) -> Result<(), String> {
        let name = heard.client_message_id.as_deref().unwrap_or_default();
        let id = ClientMessageId::new(name).map_err(|error| format!("ack of {name:?}: {error}"))?;
        let Some(stored) = store.find(self.user, &id) else {
            return Err(format!("{name} was acknowledged, but is not stored"));
        };
        if (heard.message_id, heard.seq) != (Some(stored.message_id.0), Some(stored.seq.0)) {
            return Err(format!(
                "{name} was acknowledged at {:?}, stored at {}",
                heard.seq, stored.seq
            ));
        }
        let Some(number) = self.number_of(name) else {
            return Err(format!("{} got the ack of {name}", self.session.0));
        };
        let sends = &mut self.sends;
        let once = sends.times.get(&number).is_none_or(|times| *times < 2);
        if heard.duplicate == Some(true) && once {
            return Err(format!("{name} went out once and was called a duplicate"));
        }
        if heard.duplicate == Some(false) && !sends.first.insert(number) {
            return Err(format!("{name} was stored anew twice, as its acks say"));
        }
        sends.unacked.remove(&number);
        sends.newest = self.connection.map(|connection| (number, connection));
        sends.acks += 1;
        self.count_copy(number, |(acked, _)| *acked += 1)
    }

    fn refused(&mut self, heard: &Heard<'_>, store: &ModelStore) -> Result<(), String> {
        let code = heard.code.as_deref().unwrap_or_default();
        if !matches!(
            code,
            "throttled" | "unavailable" | "overloaded" | "token_expired"
        ) {
            return Err(format!("a well-made client was refused with {code:?}"));
        }
        if heard.kind.is_some() != self.member.v2 {
            return Err("an error in the other protocol's words".into());
        }
        let name = heard.client_message_id.as_deref().unwrap_or_default();
        let Some(number) = self.number_of(name).filter(|_| code == "throttled") else {
            return Ok(());
        };
        let newest = self.sends.newest;
        let known =
            newest.is_some_and(|(newest, on)| newest == number && self.connection == Some(on));
        let id = ClientMessageId::new(name).map_err(|error| error.to_string())?;
        if known && store.newer_of(self.user, &id) < REMEMBERED {
            return Err(format!(
                "{name} is acknowledged, and its repeat was throttled"
            ));
        }
        self.count_copy(number, |(_, throttled)| *throttled += 1)
    }

    /// The copies of one send in one frame share one answer.
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

    fn sync(&mut self, heard: &Heard<'_>) -> Result<(), String> {
        let Some(Resume { since, .. }) = self.resume.take() else {
            return Err("a sync nobody asked for".into());
        };
        let to = heard.to.ok_or("a sync without an end")?;
        if heard.from != Some(since) || heard.complete != Some(true) {
            return Err(format!(
                "resumed from {since}, synced from {:?}",
                heard.from
            ));
        }
        if to == since {
            self.at = Some(to);
        }
        if self.at != Some(to) || heard.count != Some(to - since) {
            return Err(format!(
                "a sync to {to} that left the socket at {:?}",
                self.at
            ));
        }
        if self.have.is_some_and(|have| have < to) {
            return Err(format!("a sync to {to} with holes before: {:?}", self.have));
        }
        self.synced += 1;
        Ok(())
    }

    /// With nothing under way: everything up to `newest` has been received.
    pub(super) fn check_served(&self, newest: Seq, store: &ModelStore) -> Result<(), String> {
        let (have, newest) = if self.member.v2 {
            (self.have, newest)
        } else {
            (self.at, store.newest_message(newest))
        };
        if have.is_some_and(|have| have < newest.0) {
            return Err(format!(
                "{} has all up to {have:?}, not {newest}",
                self.session.0
            ));
        }
        Ok(())
    }

    /// At the end, with nothing left to do: everything acknowledged, everything received.
    pub(super) fn check_complete(&self, store: &ModelStore) -> Result<(), String> {
        if !self.joined || self.stopped {
            return Ok(());
        }
        if self.connection.is_none() {
            return Err(format!("{} is not connected in the end", self.session.0));
        }
        if self.member.repeats && !self.sends.unacked.is_empty() {
            return Err(format!(
                "{} waits for ever for {:?}",
                self.session.0, self.sends.unacked
            ));
        }
        if self.resume.is_some() {
            return Err(format!("{} waits for ever for a sync", self.session.0));
        }
        self.check_served(store.position().seq, store)
    }
}
