//! A correct client: it names its sends, repeats those that are not acknowledged, and resumes after every
//! reconnect. What it checks in the frames it receives is in `client_checks.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::plan::ClientProfile;
use colloquy_proto::domain::{Seq, SessionId, UserId};
use colloquy_proto::room::ConnectionId;

pub(super) struct Client {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) profile: ClientProfile,
    pub(super) connection: Option<ConnectionId>,
    /// How often it has connected.
    pub(super) connections: u64,
    /// Whether it has connected once, and whether it received a close code that forbids reconnecting.
    pub(super) started: bool,
    pub(super) stopped: bool,
    /// Whether it is scheduled to check its connection and its sends.
    pub(super) poll_scheduled: bool,
    pub(super) sends: Sends,
    /// It has received every event up to this one.
    pub(super) complete_to: Option<i64>,
    /// Events received beyond that.
    pub(super) ahead: BTreeSet<i64>,
    /// The position of this socket; unknown before `hello`.
    pub(super) position: Option<i64>,
    pub(super) epoch: Option<String>,
    pub(super) resume: Option<Resume>,
    pub(super) delivered: u64,
    pub(super) synced: u64,
    pub(super) resets: u64,
}

/// A resume that is not answered completely.
#[derive(Clone, Copy)]
pub(super) struct Resume {
    pub(super) since: i64,
    /// Whether its first event has arrived.
    pub(super) begun: bool,
}

/// The state of a client's named sends, by number.
#[derive(Default)]
pub(super) struct Sends {
    last: u64,
    /// How often each was sent.
    pub(super) times_sent: BTreeMap<u64, u32>,
    pub(super) unacked: BTreeSet<u64>,
    /// Those with an acknowledgement that is no duplicate.
    pub(super) acked_first: BTreeSet<u64>,
    /// The newest acknowledged one, and on which connection.
    pub(super) newest: Option<(u64, ConnectionId)>,
    /// Of the copies in one frame: how many were acknowledged, and how many throttled.
    pub(super) bursts: BTreeMap<u64, (u32, u32)>,
    pub(super) acks: u64,
}

impl Client {
    pub(super) fn new(number: usize, profile: ClientProfile) -> Self {
        Self {
            user: UserId(profile.user),
            session: SessionId(format!("s{number}").into()),
            profile,
            connection: None,
            connections: 0,
            started: false,
            stopped: false,
            poll_scheduled: false,
            sends: Sends::default(),
            complete_to: None,
            ahead: BTreeSet::new(),
            position: None,
            epoch: None,
            resume: None,
            delivered: 0,
            synced: 0,
            resets: 0,
        }
    }

    /// A socket was admitted when the conversation was at `seq`; a v1 socket receives all after it.
    pub(super) fn connected(&mut self, id: ConnectionId, seq: Seq) {
        self.connection = Some(id);
        self.connections += 1;
        self.position = (!self.profile.v2).then_some(seq.0);
        self.resume = None;
        self.sends.bursts.clear();
    }

    /// A new send, as a frame.
    pub(super) fn send(&mut self, long: bool) -> String {
        let number = self.next_number();
        if !self.profile.v2 {
            return json!({"message": text_of(&format!("v1 {}.{number}", self.session.0), long)})
                .to_string();
        }
        self.sends.unacked.insert(number);
        self.frame_of(number, long)
    }

    /// Three copies of a new send in one frame. A v1 client has no ids, so its copies would be different
    /// messages.
    pub(super) fn burst(&mut self, long: bool) -> String {
        if !self.profile.v2 {
            return self.send(long);
        }
        let number = self.next_number();
        self.sends.unacked.insert(number);
        self.sends.bursts.insert(number, (0, 0));
        let copies = [(); 3].map(|()| self.frame_of(number, long));
        format!("[{}]", copies.join(","))
    }

    /// Repeats the oldest sends that are not acknowledged: two, since all at once would be a flood.
    pub(super) fn repeat_unacked(&mut self, long: bool) -> Vec<String> {
        let unacked: Vec<u64> = self.sends.unacked.iter().copied().take(2).collect();
        unacked
            .into_iter()
            .map(|number| self.frame_of(number, long))
            .collect()
    }

    /// Repeats the newest acknowledged send.
    pub(super) fn repeat_newest(&mut self, long: bool) -> Option<String> {
        let (number, _) = self.sends.newest?;
        Some(self.frame_of(number, long))
    }

    /// A resume from `back` events before the newest one it has.
    pub(super) fn resume(&mut self, back: i64) -> Option<String> {
        let (true, Some(_), Some(complete_to)) = (self.profile.v2, self.position, self.complete_to)
        else {
            return None;
        };
        if self.resume.is_some() {
            return None;
        }
        let since = (complete_to - back).max(0);
        let begun = false;
        self.resume = Some(Resume { since, begun });
        Some(json!({"type": "resume", "since": since, "epoch": self.epoch}).to_string())
    }

    /// The number of its send with this id; `None` if it is not its own.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        let (session, number) = name.rsplit_once('.')?;
        (session == &*self.session.0).then(|| number.parse().ok())?
    }

    fn next_number(&mut self) -> u64 {
        self.sends.last += 1;
        self.sends.last
    }

    fn frame_of(&mut self, number: u64, long: bool) -> String {
        let times = self.sends.times_sent.entry(number).or_insert(0);
        *times += 1;
        if *times > 3 {
            // Copies sent at another time may have another outcome.
            self.sends.bursts.remove(&number);
        }
        // Two sessions of one user share no ids.
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
