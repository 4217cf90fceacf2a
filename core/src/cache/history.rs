//! The recent messages of a conversation: a cache whose content is proven at every read.
//!
//! The cache holds immutable events, not state; [`entries`](super::entries) has the stored form. A
//! page built from it is correct for these reasons:
//!
//! 1. *A stored event never changes.* Within an epoch the event at a `seq` is fixed once it is
//!    committed, and only committed events are written here. A set may lack events but holds no
//!    false one; adding is idempotent and commutative; no order, repetition, delay or loss of
//!    writes can make it wrong. So there is no lock, guard or script, and a page that was proven
//!    before ([`verified_pages`](super::verified_pages)) may serve as the base of a later one. The
//!    one value that differs between reads is the text of a message, since the database keeps only
//!    the newest: it is stored with its `version`; of several versions the highest is the current
//!    one, and the others were current before.
//! 2. *Completeness is proven at every read*, against the [`Position`] that the database reports
//!    during the same request. A page is returned only when the set reaches at least that position
//!    and descends from there without a gap to the requested number of messages, to those that fill
//!    a page by their size ([`page_size`](crate::page_size)), or to message number 1. Everything acknowledged before the request started is at or below that position,
//!    and so inside the dense run. An edit or deletion has a higher `seq` than its message, so for
//!    every message of the page all of them are in the run and are applied.
//! 3. *A run that continues above the position is newer, not wrong*: those events were committed
//!    after the position was read. Either way the page has the messages that the database held at
//!    one moment of the request, each with its text of that moment or a later one.
//! 4. *A rewritten history has another epoch*, which every member carries. One member of another
//!    epoch (or a malformed or contradicting one) voids the whole set; the next fill clears it.
//!
//! Preconditions outside of this module: an epoch is never reused; a database that has lost
//! committed events (a restored backup, a fail-over to a lagging replica) gets a new one; positions
//! are read from the primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::entries::{MAX_CACHED_EVENTS, encode_member, key, push_add};
use super::proof::CachedEvents;
use super::rendered_page::RenderedPage;
use super::verified_pages::{VerifiedPage, VerifiedPages};
use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::{ConversationId, Epoch, Position};
use colloquy_proto::protocol::Event;
use colloquy_proto::room::{NewEvents, WriteBuffer};

/// How many events are requested on top of a verified page. More new events than that cost a second
/// request.
const NEWEST_EVENTS: i64 = 8;

/// The time of the last success when there is none.
const NEVER: i64 = i64::MIN;

/// How long after a successful request the cache counts as available. Within that time a verified
/// page is returned without a request to the cache: the request could not change the page, it only
/// shows whether `source` may name the cache.
const CACHE_LIVENESS_MS: i64 = 20;

/// The recent histories of all conversations.
pub struct RecentHistory {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    /// Whether the last request failed, so that an outage is logged once and not once per request.
    is_down: AtomicBool,
    /// The time of the last successful request, in ms; `NEVER` after a failure.
    last_success_at: AtomicI64,
    verified_pages: VerifiedPages,
}

impl RecentHistory {
    /// Recent histories stored in `cache`.
    pub fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache,
            clock,
            is_down: AtomicBool::new(false),
            last_success_at: AtomicI64::new(NEVER),
            verified_pages: VerifiedPages::default(),
        }
    }

    /// The kind of the cache, which a history names as its source.
    pub fn kind(&self) -> CacheKind {
        self.cache.kind()
    }

    /// The cached events, enough for `limit` messages together with the page verified before. If
    /// that page may suffice and the cache counts as available, the cache is not read here;
    /// [`Self::page`] reads it if necessary. `None` when the cache is unavailable.
    pub async fn read(&self, conversation_id: ConversationId, limit: i64) -> Option<CachedEvents> {
        let mut cached = CachedEvents {
            conversation_id,
            members: None,
            requested: 0,
            verified: self.verified_pages.get((conversation_id, limit)),
        };
        match &cached.verified {
            Some(_) if self.is_live() => {}
            Some(_) => self.load(&mut cached, limit.min(NEWEST_EVENTS)).await?,
            None => self.load(&mut cached, limit).await?,
        }
        Some(cached)
    }

    /// The newest page of at most `limit` messages, if `cached` proves it complete at `position`,
    /// which the database must have reported during this request. Requests more events when there
    /// are more new ones than `cached` contains.
    pub async fn page(
        &self,
        cached: &mut CachedEvents,
        position: &Position,
        limit: i64,
    ) -> Option<RenderedPage> {
        let verified = cached.verified.as_ref();
        if let Some(page) = verified.and_then(|verified| verified.at(position)) {
            return Some(page.clone());
        }
        if cached.members.is_none() {
            self.load(cached, limit.min(NEWEST_EVENTS)).await?;
        }
        let mut history = cached.prove_complete(position, limit);
        if history.is_none() && cached.verified.take().is_some() {
            self.load(cached, limit).await?;
            history = cached.prove_complete(position, limit);
        }
        if history.is_none() && cached.needs_more(&position.epoch) {
            self.load(cached, MAX_CACHED_EVENTS).await?;
            history = cached.prove_complete(position, limit);
        }
        let history = history?;
        let page = RenderedPage::of(&history).ok()?;
        let verified = VerifiedPage {
            page: page.clone(),
            messages: history.messages.into(),
        };
        self.verified_pages
            .insert((cached.conversation_id, limit), verified);
        Some(page)
    }

    /// Reads the newest members. `None` when the cache is unavailable.
    async fn load(&self, cached: &mut CachedEvents, count: i64) -> Option<()> {
        let count = count.clamp(1, MAX_CACHED_EVENTS);
        let top = CacheCommand::ZTop {
            key: key(cached.conversation_id),
            count,
        };
        let replies = self.run(vec![top]).await?;
        let members = replies.into_iter().find_map(|reply| match reply {
            CacheReply::Members(members) => Some(members),
            CacheReply::Done => None,
        });
        cached.members = Some(members.unwrap_or_default());
        cached.requested = count;
        Some(())
    }

    /// Adds the events that the cache lacked, after `cached` could not be proven: the newest events
    /// of this epoch, as one statement read them. A failure is only logged.
    pub async fn fill(&self, cached: &CachedEvents, epoch: &Epoch, events: &[Event]) {
        let conversation_id = cached.conversation_id;
        let mut commands = Vec::new();
        let present = match cached.events(epoch) {
            // The events of the verified page may have been evicted.
            Some(_) if cached.verified.is_some() => Vec::new(),
            Some(present) => present,
            None => {
                let key = key(conversation_id);
                commands.push(CacheCommand::Del { key });
                Vec::new()
            }
        };
        let missing = events.iter().filter(|event| !present.contains(event));
        let entries = missing.map(|event| (event.seq().0, encode_member(epoch, &event.encode())));
        push_add(&mut commands, conversation_id, entries.collect());
        self.run(commands).await;
    }

    /// A write-behind buffer for [`Self::record`], which holds as many events of a conversation as
    /// the cache keeps.
    pub fn write_buffer() -> WriteBuffer {
        WriteBuffer::new(usize::try_from(MAX_CACHED_EVENTS).unwrap_or(usize::MAX))
    }

    /// Adds committed events in one pipeline, for later reads. They may arrive late, twice, in any
    /// order or never. Their epoch must have been read before they were committed: an outdated
    /// epoch makes them useless, a later one could make them false.
    pub async fn record(&self, batch: &[NewEvents]) {
        let mut commands = Vec::with_capacity(3 * batch.len());
        for new in batch {
            let entries = new.events.iter();
            let entries = entries.map(|(seq, event)| (seq.0, encode_member(&new.epoch, event)));
            push_add(&mut commands, new.conversation_id, entries.collect());
        }
        self.run(commands).await;
    }

    /// Whether a request succeeded within the last `CACHE_LIVENESS_MS`.
    fn is_live(&self) -> bool {
        let last_success_at = self.last_success_at.load(Ordering::Relaxed);
        // After the clock was set back the difference is negative, and the cache is read.
        (0..CACHE_LIVENESS_MS).contains(&self.clock.now().0.saturating_sub(last_success_at))
    }

    /// Runs the commands, if any. `None` when the cache is unavailable.
    async fn run(&self, commands: Vec<CacheCommand>) -> Option<Vec<CacheReply>> {
        if commands.is_empty() {
            return Some(Vec::new());
        }
        match self.cache.pipeline(commands).await {
            Ok(replies) => {
                let now = self.clock.now();
                self.last_success_at.store(now.0, Ordering::Relaxed);
                if self.is_down.swap(false, Ordering::Relaxed) {
                    tracing::info!("cache recovered");
                }
                Some(replies)
            }
            Err(CacheError(reason)) => {
                self.last_success_at.store(NEVER, Ordering::Relaxed);
                if !self.is_down.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason, "cache unavailable, falling back to database");
                }
                None
            }
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
