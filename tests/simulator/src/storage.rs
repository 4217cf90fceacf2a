//! Commits and loads between a Room and the store: as slow as the plan says, failing, or done without
//! a response.

use super::events::ScheduledEvent;
use super::plan::CommitFate;
use super::rng::{Stream, stream};
use super::sim_host::{ThrottleStart, WorkOrigin};
use super::world::{FOREIGN, World};
use colloquy_proto::domain::{
    AppendOutcome, BatchOutcome, ConversationId, Denied, MessageText, NewMessage, Seq, SessionId,
};
use colloquy_proto::protocol::EventPage;
use colloquy_proto::room::{Input, StoreFailed};

/// The most sends of one commit.
const MAX_BATCH: usize = 256;

impl World {
    pub(super) fn commit(&mut self, id: u64, sends: Vec<NewMessage>) -> Result<(), String> {
        self.check_throttle(id, &sends)?;
        let Some(origin) = self.origin(id) else {
            return Ok(());
        };
        let (seed, jobs) = (self.seed, self.count_job(id));
        let mut rng = stream(seed, Stream::Store, id, jobs);
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        if sends.len() > MAX_BATCH || host.in_flight.is_some() {
            return Err("a commit is too large, or two are in flight".into());
        }
        host.in_flight = Some(sends.clone());
        let fate = self.fates.pop_front().unwrap_or(CommitFate::Slow {
            stored: rng.i64(0..10),
            answer: rng.i64(0..40),
        });
        let (stored, failed, answer) = match fate {
            CommitFate::Refused { answer } => (None, Some(answer), None),
            CommitFate::Lost { stored, answer } | CommitFate::Late { answer, stored } => {
                (Some(stored), Some(answer), None)
            }
            CommitFate::Slow { stored, answer } => (Some(stored), None, Some(answer)),
        };
        if let Some(after) = failed {
            self.report.failed_commits += 1;
            self.after(after, ScheduledEvent::Committed(origin, Err(StoreFailed)));
        }
        if let Some(after) = stored {
            let apply = ScheduledEvent::Apply {
                origin,
                sends,
                answer,
            };
            self.after(after, apply);
        }
        Ok(())
    }

    /// Two sends of a user that one Room accepts are a throttle period apart, unless the first was not
    /// stored as a new message.
    fn check_throttle(&mut self, id: u64, sends: &[NewMessage]) -> Result<(), String> {
        let (period, now) = (0..self.plan.throttle_ms, self.clock(id));
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        for send in sends.iter().filter(|send| !send.dedup_only) {
            let start = ThrottleStart {
                at: send.now,
                certain: true,
                saved: false,
                // Connections closed while it waited are unknown here.
                disconnected: send.now != now,
            };
            let last = host.throttles.insert(send.sender_id, start);
            let last = last.filter(|last| last.certain);
            if last.is_some_and(|last| period.contains(&send.now.millis_since(last.at))) {
                return Err(format!("user {} was not throttled", send.sender_id));
            }
        }
        Ok(())
    }

    fn count_job(&mut self, id: u64) -> u64 {
        self.hosts.get_mut(&id).map_or(0, |host| {
            host.job_count += 1;
            host.job_count
        })
    }

    /// The database stores, even if the host is gone.
    pub(super) fn apply(
        &mut self,
        origin: WorkOrigin,
        sends: &[NewMessage],
        answer: Option<i64>,
    ) -> Result<(), String> {
        let batch = self.store.append(sends);
        let newest = batch.outcomes.iter().filter_map(|outcome| match outcome {
            AppendOutcome::Stored(stored) => Some(stored.seq),
            _ => None,
        });
        let newest = newest.max();
        if let (Some(host), Some(newest)) = (self.current_host(origin), newest) {
            // A clock that was set forward since has shortened how long the Room rechecks for events
            // stored without a response.
            if host.recheck_era == origin.recheck_era {
                host.must_serve = host.must_serve.max(newest);
            }
        }
        if let Some(after) = answer {
            self.after(after, ScheduledEvent::Committed(origin, Ok(batch)));
        }
        self.store.check_once()
    }

    pub(super) fn committed(
        &mut self,
        origin: WorkOrigin,
        result: Result<BatchOutcome, StoreFailed>,
    ) -> Result<(), String> {
        let Some(host) = self.current_host(origin) else {
            return Ok(());
        };
        let sends = host.in_flight.take().unwrap_or_default();
        for outcome in result.iter().flat_map(|batch| &batch.outcomes) {
            if let AppendOutcome::Stored(stored) | AppendOutcome::Duplicate(stored) = outcome {
                // Acknowledged here, so it has to be delivered here.
                host.must_serve = host.must_serve.max(stored.seq);
                host.without_head = false;
            }
        }
        let outcome_of = |n: usize| result.as_ref().ok().and_then(|batch| batch.outcomes.get(n));
        let mut denied = Vec::new();
        let mut stored = Vec::new();
        for (n, send) in sends.into_iter().enumerate() {
            match outcome_of(n) {
                Some(AppendOutcome::Stored(_)) => stored.push(send),
                outcome => {
                    let start = host.throttles.get(&send.sender_id);
                    if !send.dedup_only && start.is_some_and(|start| start.at == send.now) {
                        host.throttles.remove(&send.sender_id);
                    }
                    if let Some(AppendOutcome::Denied(Denied::NotMember | Denied::Session)) =
                        outcome
                    {
                        denied.push(send);
                    }
                }
            }
        }
        for send in stored {
            let user = send.sender_id;
            let has_socket = self.sockets_of(origin.host, user) > 0;
            let host = self.hosts.get_mut(&origin.host);
            if let Some(start) = host.and_then(|host| host.throttles.get_mut(&user))
                && start.at == send.now
            {
                start.saved = has_socket && start.certain && !start.disconnected;
            }
        }
        self.report.denied += denied.len() as u64;
        self.input(origin.host, Input::Committed(result))?;
        self.check_denied(origin.host, &denied)
    }

    /// A sender that is no member, or whose session is revoked, is disconnected. Of a send that arrived on
    /// several connections only the first is answered so.
    fn check_denied(&self, host: u64, denied: &[NewMessage]) -> Result<(), String> {
        for send in denied {
            let Some(name) = &send.client_message_id else {
                continue;
            };
            let arrived_on = self.arrived_on.get(&(host, name.as_str().to_owned()));
            let Some([only]) = arrived_on.map(Vec::as_slice) else {
                continue;
            };
            if let Some(link) = self.links.get(only).filter(|link| link.open) {
                return Err(format!("user {} was denied and stays connected", link.user));
            }
        }
        Ok(())
    }

    pub(super) fn start_load(&mut self, id: u64, since: Seq, limit: i64) -> Result<(), String> {
        let Some(origin) = self.origin(id) else {
            return Ok(());
        };
        let mut rng = stream(self.seed, Stream::Store, id, self.count_job(id));
        if let Some(host) = self.hosts.get_mut(&id)
            && host.loading.replace(since).is_some()
        {
            return Err("two loads are in flight".into());
        }
        let (failing, after) = self.failing_loads;
        if failing > 0 {
            self.failing_loads = (failing - 1, after);
            self.after(after, ScheduledEvent::Loaded(origin, Err(StoreFailed)));
        } else {
            self.after(rng.i64(0..200), ScheduledEvent::Load(origin, since, limit));
        }
        Ok(())
    }

    /// The database reads; the response takes a while.
    pub(super) fn load(&mut self, origin: WorkOrigin, since: Seq, limit: i64) {
        let page: EventPage = self.store.after(since, limit);
        let since = u64::try_from(since.0).unwrap_or(0);
        let after = stream(self.seed, Stream::Store, u64::MAX, since).i64(0..200);
        self.after(after, ScheduledEvent::Loaded(origin, Ok(Some(page))));
    }

    pub(super) fn loaded(
        &mut self,
        origin: WorkOrigin,
        result: Result<Option<EventPage>, StoreFailed>,
    ) -> Result<(), String> {
        let Some(host) = self.current_host(origin) else {
            return Ok(());
        };
        host.loading = None;
        self.input(origin.host, Input::Loaded(result))
    }

    /// Another program writes to the same database.
    pub(super) fn foreign_write(&mut self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            let text = format!("foreign {}", self.store.position().seq);
            let append = NewMessage {
                conversation_id: ConversationId(1),
                sender_id: FOREIGN,
                session_id: SessionId("foreign".into()),
                client_message_id: None,
                message: MessageText::new(text).map_err(|error| error.to_string())?,
                reply_to: None,
                mentions: Vec::new(),
                dedup_only: false,
                now: self.now,
            };
            drop(self.store.append(&[append]));
        }
        Ok(())
    }
}
