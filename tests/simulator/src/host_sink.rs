//! The effects of a host on the simulated world: frames, closed sockets, database work, REST replies
//! and cache writes, each checked where it is made.

use super::events::ScheduledEvent;
use super::link::{FAR_AWAY, SendResult};
use super::sim_host::{MAX_BUFFERED, SimHost, WorkOrigin};
use super::world::World;
use colloquy_proto::domain::{Caller, NewMessage, SendOutcome, Seq, Timestamp, UserId};
use colloquy_proto::protocol::{CloseCode, Event};
use colloquy_proto::room::{
    ConnectionId, Delivery, EncodedFrame, NewEvents, RequestId, Sink, TokenRejected,
};

/// Tokens that one call may verify. One that is renewed takes one.
const MAX_AUTHENTICATIONS: usize = 8;

/// How long events wait to be written to the cache, and how long the write takes, in milliseconds.
const WRITE_AFTER_MS: i64 = 25;
const WRITE_MS: i64 = 15;

/// Where the effects of one call go.
pub(super) struct HostSink<'w> {
    world: &'w mut World,
    host: u64,
    throttled: Vec<UserId>,
    authentications: usize,
    violation: Option<String>,
}

impl<'w> HostSink<'w> {
    pub(super) fn new(world: &'w mut World, host: u64) -> Self {
        Self {
            world,
            host,
            throttled: Vec::new(),
            authentications: 0,
            violation: None,
        }
    }

    /// The users that were throttled, or the first violation.
    pub(super) fn outcome(self) -> Result<Vec<UserId>, String> {
        self.violation.map_or(Ok(self.throttled), Err)
    }

    /// After a violation nothing more happens.
    fn check<T: Default>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, String>) -> T {
        if self.violation.is_some() {
            return T::default();
        }
        step(self).unwrap_or_else(|violation| {
            self.violation = Some(violation);
            T::default()
        })
    }
}

impl Sink for HostSink<'_> {
    type Reply = RequestId;

    fn send(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Vec<ConnectionId> {
        self.check(|sink| {
            let world = &mut *sink.world;
            world.record_trace(|| format!("            {delivery:?} to {to:?}: {frames:?}"));
            let is_throttled = |frame: &EncodedFrame| frame.contains(r#""code":"throttled""#);
            if delivery == Delivery::Reply && frames.iter().any(is_throttled) {
                let links = to.iter().filter_map(|id| world.links.get(id));
                sink.throttled.extend(links.map(|link| link.user));
            }
            let mut failed = Vec::new();
            for id in to {
                if world.send_down(*id, frames, delivery)? == SendResult::QueueFull {
                    failed.push(*id);
                }
            }
            Ok(failed)
        })
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode) {
        self.check(|sink| {
            sink.world
                .record_trace(|| format!("            close {id:?}: {close:?}"));
            sink.world.close(id, close)
        });
    }

    fn commit(&mut self, sends: Vec<NewMessage>) {
        self.check(|sink| {
            sink.world
                .record_trace(|| format!("            commit {sends:?}"));
            sink.world.commit(sink.host, sends)
        });
    }

    fn load(&mut self, since: Seq, limit: i64) {
        self.check(|sink| {
            sink.world
                .record_trace(|| format!("            load {limit} after {since}"));
            sink.world.start_load(sink.host, since, limit)
        });
    }

    fn write_behind(&mut self, events: NewEvents) {
        self.check(|sink| sink.world.buffer_events(sink.host, events));
    }

    fn authenticate(
        &mut self,
        id: ConnectionId,
        _token: &str,
        _now: Timestamp,
    ) -> Result<Caller, TokenRejected> {
        self.authentications += 1;
        let count = self.authentications;
        let caller = self.check(|sink| {
            if count > MAX_AUTHENTICATIONS {
                return Err("the effects of a Room lead to ever more inputs".into());
            }
            Ok(sink.world.renewed_caller(id))
        });
        caller.ok_or(TokenRejected::Invalid)
    }

    fn reply(&mut self, request_id: RequestId, outcome: SendOutcome) {
        self.check(|sink| {
            sink.world
                .record_trace(|| format!("            reply {request_id:?}: {outcome:?}"));
            let throttled = sink.world.answered(request_id, outcome)?;
            sink.throttled.extend(throttled);
            Ok(())
        });
    }
}

impl World {
    /// The caller of a connection, with a token that outlives the world.
    fn renewed_caller(&mut self, id: ConnectionId) -> Option<Caller> {
        let link = self.links.get_mut(&id)?;
        let client = self.clients.get(link.client)?;
        link.expires_at = FAR_AWAY;
        Some(Caller {
            user_id: client.user,
            session_id: client.session.clone(),
            expires_at: FAR_AWAY,
        })
    }

    /// Events on their way to the cache: only stored ones.
    fn buffer_events(&mut self, id: u64, events: NewEvents) -> Result<(), String> {
        for (seq, frame) in &events.events {
            let event: Option<Event> = serde_json::from_str(frame).ok();
            if !event.is_some_and(|event| event.seq() == *seq && self.store.contains(&event)) {
                return Err(format!("event {seq} for the cache is not stored so"));
            }
        }
        let origin = self.origin(id);
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        if let Some((seq, _)) = events.events.last() {
            host.taken_in = host.taken_in.max(*seq);
            host.buffered = Some(*seq);
        }
        if let (true, Some(origin)) = (host.write_buffer.push(events), origin) {
            self.after(WRITE_AFTER_MS, ScheduledEvent::WriteCache(origin));
        }
        Ok(())
    }

    /// The buffered events are written to the cache: all that this incarnation's Room took in, but for
    /// those beyond the buffer's bound.
    pub(super) fn write_cache(&mut self, origin: WorkOrigin) -> Result<(), String> {
        let Some(host) = self.current_host(origin) else {
            return Ok(());
        };
        for events in host.write_buffer.drain() {
            let is_full = events.events.len() == MAX_BUFFERED;
            for (number, (seq, _)) in events.events.iter().enumerate() {
                let is_next = host.cached.is_none_or(|cached| cached.next() == *seq);
                let is_trimmed = is_full && number == 0;
                if !is_next && !is_trimmed {
                    let cached = host.cached;
                    return Err(format!("the cache got event {seq} after {cached:?}"));
                }
                host.cached = Some(*seq);
            }
        }
        self.after(WRITE_MS, ScheduledEvent::CacheWritten(origin));
        Ok(())
    }

    pub(super) fn cache_written(&mut self, origin: WorkOrigin) {
        let Some(host) = self.current_host(origin) else {
            return;
        };
        if host.write_buffer.finished() {
            self.after(WRITE_AFTER_MS, ScheduledEvent::WriteCache(origin));
        }
    }

    /// With nothing left to do, every event that a Room took in is in the cache.
    pub(super) fn check_cached(&self) -> Result<(), String> {
        let behind = |host: &&SimHost| host.cached != host.buffered;
        match self.hosts.values().find(behind) {
            Some(host) => Err(format!(
                "the cache has events up to {:?}, not {:?}",
                host.cached, host.buffered
            )),
            None => Ok(()),
        }
    }
}
