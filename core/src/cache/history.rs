//! The recent messages of a conversation: a cache that cannot lie.
//!
//! The cache holds facts, not states. `history:{conversation}` is a sorted set of durable events,
//! each member `"{epoch} {event's JSON}"` with its `seq` as score. Why what is believed is true:
//!
//! 1. *A fact never changes.* Within an epoch the event at a `seq` is fixed once it is committed,
//!    and only committed events are written here. So a set may lack facts but holds no false
//!    one; adding is idempotent and commutes; and no order, repetition, delay or loss of writes
//!    can make it wrong. Hence no lock, guard or script. And what was read once need not be read
//!    again: facts that were proven before ([`pages`](super::pages)) join those just read.
//! 2. *Completeness is proven at every read*, against the [`Position`] that the database told
//!    during the same request. A history is believed only when the set reaches at least that
//!    position and goes down from there without a gap, to as many messages as were asked for or
//!    to message number 1. Whatever was acknowledged before the request began lies at or below
//!    that position, and so inside the dense run.
//! 3. *A run that goes on above the position is newer, not wrong*: those events were committed
//!    after the position was read. Either way the answer is what the database held at one moment
//!    of the request.
//! 4. *Another history is told by its epoch*, which every fact carries. One fact of another epoch
//!    (or one that is garbled, or contradicts another) and nothing is believed; who fills the
//!    cache next clears it first.
//!
//! What must hold outside: an epoch is never used again, and a database that has lost committed
//! events (a restored backup, a fail-over to a replica that lagged) gets a new one; positions
//! come from the primary.
//!
//! Every new kind of event must say here what it does to a history: `facts` matches all kinds.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::pages::{Page, Pages, Proven};
use super::unrecorded::NewEvents;
use crate::domain::{ConversationId, Epoch, Message, Position, Seq};
use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock, History};
use crate::protocol::{Event, MessageEvent};

/// How many events of a conversation are kept: the most a history page can ask for.
pub(super) const KEPT_EVENTS: i64 = 100;

/// How many events are asked of the cache where a page was proven before: those that may have come
/// since. More of them cost a second request.
const NEWEST_EVENTS: i64 = 8;

/// No time at which the cache answered.
const NEVER: i64 = i64::MIN;

/// How long a cache that has answered is taken to be there still. A page known by heart is shown
/// without asking it meanwhile: it tells nothing that could make the page more or less true, only
/// whether `source` may name it, and nobody sees so soon that it has gone away.
const THERE_FOR_MS: i64 = 20;

/// How long an untouched history stays: 24 hours.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// The recent histories of all conversations.
pub struct RecentHistory {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    /// Whether the last request failed, so that an outage is told once and not once a request.
    away: AtomicBool,
    /// When it answered last, in ms; `NEVER` after a failure.
    answered_at: AtomicI64,
    pages: Pages,
}

/// What the cache held of one conversation: nothing to be shown before [`RecentHistory::page`].
#[derive(Debug)]
pub struct Recent {
    id: ConversationId,
    /// Ascending by `seq`; `None` as long as it was not asked.
    members: Option<Vec<Arc<str>>>,
    /// What was proven of it before; then the members are only the newest.
    proven: Option<Proven>,
}

impl RecentHistory {
    /// Recent histories kept in `cache`.
    pub fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache,
            clock,
            away: AtomicBool::new(false),
            answered_at: AtomicI64::new(NEVER),
            pages: Pages::default(),
        }
    }

    /// Where a believed history was read.
    pub fn kind(&self) -> CacheKind {
        self.cache.kind()
    }

    /// What the cache holds, enough for `limit` messages together with what was proven before. It
    /// is not asked yet where that alone may do and the cache has just answered somebody. `None`
    /// when the cache is away.
    pub async fn read(&self, id: ConversationId, limit: i64) -> Option<Recent> {
        let proven = self.pages.get((id, limit));
        let members = match &proven {
            Some(_) if self.is_there() => None,
            Some(_) => Some(self.newest(id, limit.min(NEWEST_EVENTS)).await?),
            None => Some(self.newest(id, limit.min(KEPT_EVENTS)).await?),
        };
        Some(Recent {
            id,
            members,
            proven,
        })
    }

    /// The newest page of at most `limit` messages, if `recent` proves it complete at `position`,
    /// which the database must have told during this request. Asks the cache when more came since
    /// the last proof than `recent` can tell.
    pub async fn page(&self, recent: &mut Recent, position: &Position, limit: i64) -> Option<Page> {
        let proven = recent.proven.as_ref();
        if let Some(page) = proven.and_then(|proven| proven.at(position)) {
            return Some(page.clone());
        }
        if recent.members.is_none() {
            recent.members = Some(self.newest(recent.id, limit.min(NEWEST_EVENTS)).await?);
        }
        let mut history = recent.believe(position, limit);
        if history.is_none() && recent.proven.take().is_some() {
            recent.members = Some(self.newest(recent.id, limit.min(KEPT_EVENTS)).await?);
            history = recent.believe(position, limit);
        }
        let history = history?;
        let page = Page::of(&history).ok()?;
        let proven = Proven {
            page: page.clone(),
            messages: history.messages.into(),
        };
        self.pages.keep((recent.id, limit), proven);
        Some(page)
    }

    /// The newest of what the cache holds.
    async fn newest(&self, id: ConversationId, count: i64) -> Option<Vec<Arc<str>>> {
        let highest = CacheCommand::Highest {
            key: key(id),
            count: count.max(1),
        };
        let replies = self.run(vec![highest]).await?;
        let members = replies.into_iter().find_map(|reply| match reply {
            CacheReply::Members(members) => Some(members),
            CacheReply::Done | CacheReply::Integer(_) => None,
        });
        Some(members.unwrap_or_default())
    }

    /// Adds what the cache lacked of what the database answered after `recent` was not believed.
    /// `history` is a newest page, as one statement read it. A failure is only logged.
    pub async fn fill(&self, recent: &Recent, history: &History) {
        let epoch = &history.position.epoch;
        let mut commands = Vec::new();
        let known = match recent.facts(epoch) {
            // What was proven before may be there no longer.
            Some(_) if recent.proven.is_some() => Vec::new(),
            Some(facts) => facts,
            None => {
                let key = key(recent.id);
                commands.push(CacheCommand::Delete { key });
                Vec::new()
            }
        };
        let messages = history.messages.iter();
        let missing = messages.filter(|message| !known.contains(message));
        let entries = missing.map(|message| {
            let event = Event::Message(MessageEvent::from(message.clone()));
            (message.seq.0, member(epoch, &event.encode()))
        });
        add(&mut commands, recent.id, entries.collect());
        self.run(commands).await;
    }

    /// Adds events after their commit, in one pipeline, so that later reads find them. They may
    /// come late, twice, in any order or never. Their epoch is one the database told before they
    /// were committed: an outdated one makes them useless, a later one could make them false.
    pub async fn record(&self, told: &[NewEvents]) {
        let mut commands = Vec::with_capacity(3 * told.len());
        for new in told {
            let entries = new.events.iter();
            let entries = entries.map(|(seq, event)| (seq.0, member(&new.epoch, event)));
            add(&mut commands, new.conversation_id, entries.collect());
        }
        self.run(commands).await;
    }

    /// Whether the cache has answered just now.
    fn is_there(&self) -> bool {
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        // A clock that was set back says nothing.
        (0..THERE_FOR_MS).contains(&self.clock.now().0.saturating_sub(answered_at))
    }

    /// `None` when the cache is away. Of no commands it is not told.
    async fn run(&self, commands: Vec<CacheCommand>) -> Option<Vec<CacheReply>> {
        if commands.is_empty() {
            return Some(Vec::new());
        }
        match self.cache.pipeline(commands).await {
            Ok(replies) => {
                let now = self.clock.now();
                self.answered_at.store(now.0, Ordering::Relaxed);
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the cache answers again");
                }
                Some(replies)
            }
            Err(CacheError(reason)) => {
                self.answered_at.store(NEVER, Ordering::Relaxed);
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason, "the cache is away, the database answers alone");
                }
                None
            }
        }
    }
}

impl Recent {
    /// The newest `limit` messages (fewer only when there are no more), with the position they
    /// reach, if the facts prove them complete at `position`; the database must have told that
    /// during this request.
    fn believe(&self, position: &Position, limit: i64) -> Option<History> {
        let mut facts = self.facts(&position.epoch)?;
        let reached = dense_end(&facts, position.seq);
        facts.truncate(reached);
        let top = facts
            .last()
            .map_or(Seq(0), |newest| newest.seq)
            .max(position.seq);
        let start = facts.len() - dense_length(&facts, top, usize::try_from(limit).ok()?);
        let messages = facts.split_off(start);
        let number = messages
            .last()
            .map_or(position.number, |newest| newest.number);
        let complete = messages
            .first()
            .map_or(number.0 == 0 || limit == 0, |oldest| {
                oldest.number.0 == 1 || i64::try_from(messages.len()) == Ok(limit)
            });
        let position = Position {
            epoch: position.epoch.clone(),
            seq: top,
            number,
        };
        complete.then_some(History { messages, position })
    }

    /// The messages held or proven before, ascending by `seq` and each once; `None` when anything
    /// is found that is no fact of this epoch.
    fn facts(&self, epoch: &Epoch) -> Option<Vec<Message>> {
        let mut messages = match &self.proven {
            Some(proven) if proven.page.position.epoch != *epoch => return None,
            Some(proven) => proven.messages.to_vec(),
            None => Vec::new(),
        };
        for member in self.members.iter().flatten() {
            let (its_epoch, event) = member.split_once(' ')?;
            if its_epoch != &*epoch.0 {
                return None;
            }
            let Event::Message(event) = serde_json::from_str(event).ok()?;
            messages.push(event.into());
        }
        messages.sort_by_key(|message| message.seq);
        let contradiction = |pair: &[Message]| match pair {
            [one, other] => one.seq == other.seq && one != other,
            _ => false,
        };
        if messages.windows(2).any(contradiction) {
            return None;
        }
        messages.dedup_by_key(|message| message.seq);
        Some(messages)
    }
}

/// How many of the facts remain when those above the first gap after `seq` are left out.
fn dense_end(facts: &[Message], seq: Seq) -> usize {
    let known = facts.partition_point(|message| message.seq <= seq);
    let mut next = seq.next();
    let newer = facts.iter().skip(known).take_while(|message| {
        let dense = message.seq == next;
        next = next.next();
        dense
    });
    known + newer.count()
}

/// How many of the facts at the end go down from `top` without a gap; at most `limit`.
fn dense_length(facts: &[Message], top: Seq, limit: usize) -> usize {
    let expected = (0..).map(|below| Seq(top.0 - below));
    facts
        .iter()
        .rev()
        .zip(expected)
        .take(limit)
        .take_while(|(m, seq)| m.seq == *seq)
        .count()
}

/// What adds events to the set of a conversation, each with its `seq`.
fn add(commands: &mut Vec<CacheCommand>, id: ConversationId, entries: Vec<(i64, Arc<str>)>) {
    if entries.is_empty() {
        return;
    }
    let key = key(id);
    commands.extend([
        CacheCommand::AddScored {
            key: key.clone(),
            entries,
        },
        CacheCommand::KeepHighest {
            key: key.clone(),
            count: KEPT_EVENTS,
        },
        CacheCommand::Expire {
            key,
            seconds: KEPT_SECONDS,
        },
    ]);
}

fn key(id: ConversationId) -> String {
    format!("history:{id}")
}

fn member(epoch: &Epoch, event: &str) -> Arc<str> {
    let mut member = String::with_capacity(epoch.0.len() + 1 + event.len());
    // Writing to a String cannot fail.
    let _ = write!(member, "{} {event}", epoch.0);
    member.into()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
