//! Which logins were ended and when, and the rule that follows: of what was begun after a logout was
//! answered, nothing comes to a socket of that login, and nothing is granted to its token; and nobody
//! is told that a login is over that was not ended.
//!
//! What was begun before may be on its way for as long as the network likes. So no time is allowed
//! for it: of events, what was begun after is told by `seq`, which is given later than everything
//! before it; of a socket's own pings and sends, by when they were sent.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::{Fault, Stored};
use crate::key::Key;
use crate::log::{Entry, Event, Log, Room};

/// Somebody's login. Numbers of users are a server's own.
type Login = (Room, u64, u32);

#[derive(Debug, Default)]
pub(super) struct Logins {
    /// When the first request to end it was made.
    began: HashMap<Login, Instant>,
    /// When it was known to be over.
    over: HashMap<Login, Instant>,
    /// When each message was sent first.
    sent: HashMap<Key, Instant>,
}

impl Logins {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut logins = Self::default();
        for log in logs {
            let whose = |login: u32| (log.room, log.user_id, login);
            for entry in &log.entries {
                match *entry {
                    Entry::LoggingOut { login, began } => {
                        logins.began.entry(whose(login)).or_insert(began);
                    }
                    Entry::LoggedOut { login, at } => {
                        logins.over.entry(whose(login)).or_insert(at);
                    }
                    Entry::Sent { key, at } => {
                        logins.sent.entry(key).or_insert(at);
                    }
                    _ => {}
                }
            }
        }
        logins
    }

    /// One client, and what it may be told by the logins it uses.
    pub(super) fn track<'a>(&'a self, log: &Log, stored: &'a Stored) -> Tracked<'a> {
        Tracked {
            logins: self,
            room: log.room,
            user_id: log.user_id,
            rows: &stored.rows,
            socket: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Tracked<'a> {
    logins: &'a Logins,
    room: Room,
    user_id: u64,
    rows: &'a [Event],
    /// Its socket, while that is of a login that was ended at some time.
    socket: Option<Socket>,
}

/// A socket of a login that was ended.
#[derive(Debug)]
struct Socket {
    /// When the login was over.
    over: Instant,
    /// The first message that was begun after that.
    end: Option<u64>,
    /// Asked for after that.
    is_late: bool,
    /// The Room has let it in. Before, a v1 socket may be answered a ping and then be refused.
    is_in: bool,
    /// The pings without an answer.
    pings: VecDeque<Instant>,
    /// When each message was sent first by this socket.
    sent: HashMap<Key, Instant>,
}

impl Tracked<'_> {
    /// What is wrong with the next entry.
    pub(super) fn entry(&mut self, entry: &Entry) -> Option<(Fault, String)> {
        match *entry {
            Entry::Opened {
                at, asked, login, ..
            } => self.opened(entry, at.is_some(), asked, login),
            Entry::Granted { login, asked } => {
                let over = *self.logins.over.get(&self.whose(login))?;
                (asked > over).then(|| outlived(entry))
            }
            Entry::Denied { login, at } => {
                let began = self.logins.began.get(&self.whose(login));
                let is_known = began.is_some_and(|began| *began <= at);
                let sentence = || format!("login {login} is over, and nobody ended it");
                (!is_known).then(|| (Fault::Other, sentence()))
            }
            _ => {
                let socket = self.socket.as_mut()?;
                socket.is_beyond(entry).then(|| outlived(entry))
            }
        }
    }

    /// A socket that is asked for after the end may be opened to be refused, but not be greeted.
    fn opened(
        &mut self,
        entry: &Entry,
        is_in: bool,
        asked: Instant,
        login: u32,
    ) -> Option<(Fault, String)> {
        self.socket = None;
        let over = *self.logins.over.get(&self.whose(login))?;
        let is_late = asked > over;
        self.socket = Some(Socket {
            over,
            end: self.begun_after(over),
            is_late,
            is_in,
            pings: VecDeque::new(),
            sent: HashMap::new(),
        });
        (is_in && is_late).then(|| outlived(entry))
    }

    /// Where the first message stands that was begun after this.
    fn begun_after(&self, moment: Instant) -> Option<u64> {
        let sent = |row: &&Event| self.logins.sent.get(&row.key);
        let mut rows = self.rows.iter();
        let first = rows.find(|row| sent(row).is_some_and(|sent| *sent > moment));
        first.map(|row| row.seq)
    }

    const fn whose(&self, login: u32) -> Login {
        (self.room, self.user_id, login)
    }
}

fn outlived(entry: &Entry) -> (Fault, String) {
    (Fault::Outlived, format!("its login was over: {entry:?}"))
}

impl Socket {
    /// Whether this comes after the end of the socket's login.
    fn is_beyond(&mut self, entry: &Entry) -> bool {
        match *entry {
            Entry::Pinged { at } => {
                self.pings.push_back(at);
                false
            }
            Entry::Ponged => {
                let pinged = self.pings.pop_front();
                self.is_in && pinged.is_some_and(|pinged| pinged > self.over)
            }
            Entry::Sent { key, at } => {
                self.sent.entry(key).or_insert(at);
                false
            }
            Entry::Acknowledged { key, .. } => {
                let sent = self.sent.get(&key);
                sent.is_some_and(|sent| *sent > self.over)
            }
            Entry::Heard(Event { seq, .. }) => self.hears(seq),
            Entry::Changed { change, .. } => self.hears(change.seq),
            _ => false,
        }
    }

    fn hears(&mut self, seq: u64) -> bool {
        self.is_in = true;
        self.is_late || self.end.is_some_and(|end| end <= seq)
    }
}
