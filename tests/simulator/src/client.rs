//! A well-made client: it names its sends, repeats what was not acknowledged, and resumes after
//! every reconnect. What it holds against the frames it gets is in `hearing.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::plan::Member;
use colloquy_proto::domain::{Seq, SessionId, UserId};
use colloquy_proto::room::ConnectionId;

pub(super) struct Client {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) member: Member,
    pub(super) connection: Option<ConnectionId>,
    /// How often it has connected.
    pub(super) connections: u64,
    /// Whether it has begun, and whether it has been told not to come back.
    pub(super) joined: bool,
    pub(super) stopped: bool,
    /// Whether it will look after its connection and its sends by itself.
    pub(super) tending: bool,
    pub(super) sends: Sends,
    /// The newest event up to which it has all.
    pub(super) have: Option<i64>,
    /// Events it has beyond that.
    pub(super) ahead: BTreeSet<i64>,
    /// The position on this socket; unknown before `hello`.
    pub(super) at: Option<i64>,
    pub(super) epoch: Option<String>,
    pub(super) resume: Option<Resume>,
    pub(super) delivered: u64,
    pub(super) synced: u64,
    pub(super) resets: u64,
}

/// Resumes asked for that are not all answered yet.
#[derive(Clone, Copy)]
pub(super) struct Resume {
    pub(super) since: i64,
    /// Whether its first event has come.
    pub(super) begun: bool,
}

/// What became of a client's named sends, by number.
#[derive(Default)]
pub(super) struct Sends {
    last: u64,
    /// How often each went out.
    pub(super) times: BTreeMap<u64, u32>,
    pub(super) unacked: BTreeSet<u64>,
    /// Those whose first acknowledgement, the one that is no duplicate, has come.
    pub(super) first: BTreeSet<u64>,
    /// The newest acknowledged one, and on which connection it was.
    pub(super) newest: Option<(u64, ConnectionId)>,
    /// How many of the copies in one frame were acknowledged, and how many throttled.
    pub(super) bursts: BTreeMap<u64, (u32, u32)>,
    pub(super) acks: u64,
}

impl Client {
    pub(super) fn new(number: usize, member: Member) -> Self {
        Self {
            user: UserId(member.user),
            session: SessionId(format!("s{number}").into()),
            member,
            connection: None,
            connections: 0,
            joined: false,
            stopped: false,
            tending: false,
            sends: Sends::default(),
            have: None,
            ahead: BTreeSet::new(),
            at: None,
            epoch: None,
            resume: None,
            delivered: 0,
            synced: 0,
            resets: 0,
        }
    }

    /// Let in when the conversation stood at `seq`: from there a v1 socket gets everything.
    pub(super) fn connected(&mut self, id: ConnectionId, seq: Seq) {
        self.connection = Some(id);
        self.connections += 1;
        self.at = (!self.member.v2).then_some(seq.0);
        self.resume = None;
        self.sends.bursts.clear();
    }

    /// A new send, as a frame.
    pub(super) fn send(&mut self, long: bool) -> String {
        let number = self.name_next();
        if !self.member.v2 {
            return json!({"message": text_of(&format!("v1 {}.{number}", self.session.0), long)})
                .to_string();
        }
        self.sends.unacked.insert(number);
        self.frame_of(number, long)
    }

    /// Three copies of a new send in one frame; a v1 client has no name to tell that they are one.
    pub(super) fn burst(&mut self, long: bool) -> String {
        if !self.member.v2 {
            return self.send(long);
        }
        let number = self.name_next();
        self.sends.unacked.insert(number);
        self.sends.bursts.insert(number, (0, 0));
        let copies = [(); 3].map(|()| self.frame_of(number, long));
        format!("[{}]", copies.join(","))
    }

    /// The oldest sends that are not acknowledged, once more: all at once would be a flood.
    pub(super) fn repeat(&mut self, long: bool) -> Vec<String> {
        let unacked: Vec<u64> = self.sends.unacked.iter().copied().take(2).collect();
        unacked
            .into_iter()
            .map(|number| self.frame_of(number, long))
            .collect()
    }

    /// The newest acknowledged send once more.
    pub(super) fn again(&mut self, long: bool) -> Option<String> {
        let (number, _) = self.sends.newest?;
        Some(self.frame_of(number, long))
    }

    /// A resume from `back` events before the newest it has.
    pub(super) fn resume(&mut self, back: i64) -> Option<String> {
        let (true, Some(_), Some(have)) = (self.member.v2, self.at, self.have) else {
            return None;
        };
        if self.resume.is_some() {
            return None;
        }
        let since = (have - back).max(0);
        let begun = false;
        self.resume = Some(Resume { since, begun });
        Some(json!({"type": "resume", "since": since, "epoch": self.epoch}).to_string())
    }

    /// Whether a send with this name is one of its own, and which.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        let (session, number) = name.rsplit_once('.')?;
        (session == &*self.session.0).then(|| number.parse().ok())?
    }

    fn name_next(&mut self) -> u64 {
        self.sends.last += 1;
        self.sends.last
    }

    fn frame_of(&mut self, number: u64, long: bool) -> String {
        let times = self.sends.times.entry(number).or_insert(0);
        *times += 1;
        if *times > 3 {
            // Copies sent at another time may fare otherwise.
            self.sends.bursts.remove(&number);
        }
        // Two logins of one user share no ids.
        let name = format!("{}.{number}", self.session.0);
        let text = text_of(&name, long);
        json!({"type": "send", "client_message_id": name, "message": text}).to_string()
    }
}

/// A text that no other message has.
pub(super) fn text_of(name: &str, long: bool) -> String {
    let length = if long { 3_000 } else { 0 };
    format!("{name}!{}", ".".repeat(length))
}
