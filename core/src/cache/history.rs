//! The recent messages of a conversation: a cache that cannot lie.
//!
//! The cache holds facts, not states. `history:{conversation}` is a sorted set of durable events,
//! each member `"{epoch} {event's JSON}"` with its `seq` as score. Why what is believed is true:
//!
//! 1. *A fact never changes.* Within an epoch the event at a `seq` is fixed once it is committed,
//!    and only committed events are written here. So a set may lack facts but holds no false
//!    one; adding is idempotent and commutes; and no order, repetition, delay or loss of writes
//!    can make it wrong. Hence no lock, guard or script. And what was read once need not be read
//!    again: a page that was proven before ([`pages`](super::verified_pages)) is where the facts after it
//!    go on. The one thing told differently later is the text of a message, since the database
//!    keeps only the newest: it comes with its `version`, of several the highest is right, and
//!    those below it are what was right before.
//! 2. *Completeness is proven at every read*, against the [`Position`] that the database told
//!    during the same request. A history is believed only when the set reaches at least that
//!    position and goes down from there without a gap, to as many messages as were asked for or
//!    to message number 1. Whatever was acknowledged before the request began lies at or below
//!    that position, and so inside the dense run. What was done to a message has a higher `seq`
//!    than the message, so of every message shown all of it is in the run, and is applied.
//! 3. *A run that goes on above the position is newer, not wrong*: those events were committed
//!    after the position was read. Either way the answer has the messages that the database held
//!    at one moment of the request, each as it read then or later.
//! 4. *Another history is told by its epoch*, which every fact carries. One fact of another epoch
//!    (or one that is garbled, or contradicts another) and nothing is believed; who fills the
//!    cache next clears it first.
//!
//! What must hold outside: an epoch is never used again, and a database that has lost committed
//! events (a restored backup, a fail-over to a replica that lagged) gets a new one; positions
//! come from the primary.
//!
//! Every new kind of event must say in [`recent`](super::proof) what it does to a history.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::proof::CachedEvents;
use super::verified_pages::{RenderedPage, VerifiedPage, VerifiedPages};
use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::{ConversationId, Epoch, Position};
use colloquy_proto::protocol::Event;
use colloquy_proto::room::{NewEvents, WriteBuffer};

/// How many events of a conversation are kept: as many as the largest page has messages, and half as
/// many others between them.
pub const KEPT_EVENTS: i64 = 150;

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
    pages: VerifiedPages,
}

impl RecentHistory {
    /// CachedEvents histories kept in `cache`.
    pub fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache,
            clock,
            away: AtomicBool::new(false),
            answered_at: AtomicI64::new(NEVER),
            pages: VerifiedPages::default(),
        }
    }

    /// Where a believed history was read.
    pub fn kind(&self) -> CacheKind {
        self.cache.kind()
    }

    /// What the cache holds, enough for `limit` messages together with what was proven before. It
    /// is not asked yet where that alone may do and the cache has just answered somebody. `None`
    /// when the cache is away.
    pub async fn read(&self, id: ConversationId, limit: i64) -> Option<CachedEvents> {
        let mut recent = CachedEvents {
            id,
            members: None,
            asked: 0,
            proven: self.pages.get((id, limit)),
        };
        match &recent.proven {
            Some(_) if self.is_there() => {}
            Some(_) => self.ask(&mut recent, limit.min(NEWEST_EVENTS)).await?,
            None => self.ask(&mut recent, limit).await?,
        }
        Some(recent)
    }

    /// The newest page of at most `limit` messages, if `recent` proves it complete at `position`,
    /// which the database must have told during this request. Asks the cache when more came since
    /// the last proof than `recent` can tell.
    pub async fn page(
        &self,
        recent: &mut CachedEvents,
        position: &Position,
        limit: i64,
    ) -> Option<RenderedPage> {
        let proven = recent.proven.as_ref();
        if let Some(page) = proven.and_then(|proven| proven.at(position)) {
            return Some(page.clone());
        }
        if recent.members.is_none() {
            self.ask(recent, limit.min(NEWEST_EVENTS)).await?;
        }
        let mut history = recent.prove_complete(position, limit);
        if history.is_none() && recent.proven.take().is_some() {
            self.ask(recent, limit).await?;
            history = recent.prove_complete(position, limit);
        }
        if history.is_none() && recent.needs_more(&position.epoch) {
            self.ask(recent, KEPT_EVENTS).await?;
            history = recent.prove_complete(position, limit);
        }
        let history = history?;
        let page = RenderedPage::of(&history).ok()?;
        let proven = VerifiedPage {
            page: page.clone(),
            messages: history.messages.into(),
        };
        self.pages.keep((recent.id, limit), proven);
        Some(page)
    }

    /// Asks the cache for the newest it holds. `None` when it is away.
    async fn ask(&self, recent: &mut CachedEvents, count: i64) -> Option<()> {
        let count = count.clamp(1, KEPT_EVENTS);
        let highest = CacheCommand::ZTop {
            key: key(recent.id),
            count,
        };
        let replies = self.run(vec![highest]).await?;
        let members = replies.into_iter().find_map(|reply| match reply {
            CacheReply::Members(members) => Some(members),
            CacheReply::Done | CacheReply::Integer(_) => None,
        });
        recent.members = Some(members.unwrap_or_default());
        recent.asked = count;
        Some(())
    }

    /// Adds what the cache lacked of what the database answered after `recent` was not believed:
    /// the newest events of this epoch, as one statement read them. A failure is only logged.
    pub async fn fill(&self, recent: &CachedEvents, epoch: &Epoch, events: &[Event]) {
        let mut commands = Vec::new();
        let known = match recent.events(epoch) {
            // What was proven before may be there no longer.
            Some(_) if recent.proven.is_some() => Vec::new(),
            Some(facts) => facts,
            None => {
                let key = key(recent.id);
                commands.push(CacheCommand::Del { key });
                Vec::new()
            }
        };
        let missing = events.iter().filter(|event| !known.contains(event));
        let entries = missing.map(|event| (event.seq().0, member(epoch, &event.encode())));
        add(&mut commands, recent.id, entries.collect());
        self.run(commands).await;
    }

    /// A buffer for events on their way here: it holds no more of a conversation than is kept.
    pub fn write_buffer() -> WriteBuffer {
        WriteBuffer::new(usize::try_from(KEPT_EVENTS).unwrap_or(usize::MAX))
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

/// What adds events to the set of a conversation, each with its `seq`.
fn add(commands: &mut Vec<CacheCommand>, id: ConversationId, entries: Vec<(i64, Arc<str>)>) {
    if entries.is_empty() {
        return;
    }
    let key = key(id);
    commands.extend([
        CacheCommand::ZAdd {
            key: key.clone(),
            entries,
        },
        CacheCommand::ZTrim {
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
