//! Commits and loads between a Room and the store: as slow as the plan says, failing, or done
//! without an answer.

use super::chance::{Stream, stream};
use super::host::{Place, Taken};
use super::plan::Fate;
use super::world::{FOREIGN, Happening, World};
use colloquy_proto::domain::{
    AppendOutcome, BatchOutcome, ConversationId, Denied, MessageText, NewMessage, Seq, SessionId,
};
use colloquy_proto::protocol::EventPage;
use colloquy_proto::room::{Input, StoreFailed};

/// The most sends of one commit, as the Room promises.
const MAX_BATCH: usize = 256;

impl World {
    pub(super) fn commit(&mut self, id: u64, sends: Vec<NewMessage>) -> Result<(), String> {
        self.check_throttle(id, &sends)?;
        let Some(place) = self.place(id) else {
            return Ok(());
        };
        let (seed, jobs) = (self.seed, self.count_job(id));
        let mut chance = stream(seed, Stream::Store, id, jobs);
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        if sends.len() > MAX_BATCH || host.in_flight.is_some() {
            return Err("more is committed at once than is good".into());
        }
        host.in_flight = Some(sends.clone());
        let fate = self.fates.pop_front().unwrap_or(Fate::Slow {
            stored: chance.i64(0..10),
            answer: chance.i64(0..40),
        });
        let (stored, failed, answer) = match fate {
            Fate::Refused { answer } => (None, Some(answer), None),
            Fate::Lost { stored, answer } | Fate::Late { answer, stored } => {
                (Some(stored), Some(answer), None)
            }
            Fate::Slow { stored, answer } => (Some(stored), None, Some(answer)),
        };
        if let Some(after) = failed {
            self.report.failed_commits += 1;
            self.after(after, Happening::Committed(place, Err(StoreFailed)));
        }
        if let Some(after) = stored {
            let apply = Happening::Apply {
                place,
                sends,
                answer,
            };
            self.after(after, apply);
        }
        Ok(())
    }

    /// Between two sends that one Room took of a user there is the throttle's period, unless the
    /// first was not stored anew.
    fn check_throttle(&mut self, id: u64, sends: &[NewMessage]) -> Result<(), String> {
        let (period, now) = (0..self.plan.throttle_ms, self.clock(id));
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        for send in sends.iter().filter(|send| !send.dedup_only) {
            let taken = Taken {
                at: send.now,
                certain: true,
                kept: false,
                // What waited was not watched until now.
                left: send.now != now,
            };
            let last = host.taken.insert(send.sender_id, taken);
            let last = last.filter(|last| last.certain);
            if last.is_some_and(|last| period.contains(&send.now.millis_since(last.at))) {
                return Err(format!("user {} was not throttled", send.sender_id));
            }
        }
        Ok(())
    }

    fn count_job(&mut self, id: u64) -> u64 {
        self.hosts.get_mut(&id).map_or(0, |host| {
            host.jobs += 1;
            host.jobs
        })
    }

    /// The database stores, whoever is still there to hear of it.
    pub(super) fn apply(
        &mut self,
        place: Place,
        sends: &[NewMessage],
        answer: Option<i64>,
    ) -> Result<(), String> {
        let batch = self.store.append(sends);
        let newest = batch.outcomes.iter().filter_map(|outcome| match outcome {
            AppendOutcome::Stored(stored) => Some(stored.seq),
            _ => None,
        });
        let newest = newest.max();
        if let (Some(host), Some(newest)) = (self.remembers(place), newest) {
            // A clock that was set forward meanwhile has cut short how long the Room looks for
            // what was stored without an answer.
            if host.era == place.era {
                host.own = host.own.max(newest);
            }
        }
        if let Some(after) = answer {
            self.after(after, Happening::Committed(place, Ok(batch)));
        }
        self.store.check_once()
    }

    pub(super) fn committed(
        &mut self,
        place: Place,
        result: Result<BatchOutcome, StoreFailed>,
    ) -> Result<(), String> {
        let Some(host) = self.remembers(place) else {
            return Ok(());
        };
        let sends = host.in_flight.take().unwrap_or_default();
        for outcome in result.iter().flat_map(|batch| &batch.outcomes) {
            if let AppendOutcome::Stored(stored) | AppendOutcome::Duplicate(stored) = outcome {
                // Whoever is told here that it is stored may expect it to be seen here.
                host.own = host.own.max(stored.seq);
                host.fresh = false;
            }
        }
        let outcome_of = |n: usize| result.as_ref().ok().and_then(|batch| batch.outcomes.get(n));
        let mut denied = Vec::new();
        let mut stored = Vec::new();
        for (n, send) in sends.into_iter().enumerate() {
            match outcome_of(n) {
                Some(AppendOutcome::Stored(_)) => stored.push(send),
                outcome => {
                    let taken = host.taken.get(&send.sender_id);
                    if !send.dedup_only && taken.is_some_and(|taken| taken.at == send.now) {
                        host.taken.remove(&send.sender_id);
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
            let kept = self.sockets_of(place.host, user) > 0;
            let host = self.hosts.get_mut(&place.host);
            if let Some(taken) = host.and_then(|host| host.taken.get_mut(&user))
                && taken.at == send.now
            {
                taken.kept = kept && taken.certain && !taken.left;
            }
        }
        self.report.denied += denied.len() as u64;
        self.input(place.host, Input::Committed(result))?;
        self.check_denied(place.host, &denied)
    }

    /// Whoever was refused as no member, or by a login that is over, has lost the connection. What
    /// came by several, as a repeat, is answered to the first of them only.
    fn check_denied(&self, host: u64, denied: &[NewMessage]) -> Result<(), String> {
        for send in denied {
            let Some(name) = &send.client_message_id else {
                continue;
            };
            let came_by = self.came_by.get(&(host, name.as_str().to_owned()));
            let Some([only]) = came_by.map(Vec::as_slice) else {
                continue;
            };
            if let Some(link) = self.links.get(only).filter(|link| link.open) {
                return Err(format!(
                    "user {} was refused and stays connected",
                    link.user
                ));
            }
        }
        Ok(())
    }

    pub(super) fn start_load(&mut self, id: u64, since: Seq, limit: i64) -> Result<(), String> {
        let Some(place) = self.place(id) else {
            return Ok(());
        };
        let mut chance = stream(self.seed, Stream::Store, id, self.count_job(id));
        if let Some(host) = self.hosts.get_mut(&id)
            && host.loading.replace(since).is_some()
        {
            return Err("two loads at once".into());
        }
        let (failing, after) = self.failing_loads;
        if failing > 0 {
            self.failing_loads = (failing - 1, after);
            self.after(after, Happening::Loaded(place, Err(StoreFailed)));
        } else {
            self.after(chance.i64(0..200), Happening::Load(place, since, limit));
        }
        Ok(())
    }

    /// The database reads; the answer is under way for a while.
    pub(super) fn load(&mut self, place: Place, since: Seq, limit: i64) {
        let page: EventPage = self.store.after(since, limit);
        let since = u64::try_from(since.0).unwrap_or(0);
        let after = stream(self.seed, Stream::Store, u64::MAX, since).i64(0..200);
        self.after(after, Happening::Loaded(place, Ok(Some(page))));
    }

    pub(super) fn loaded(
        &mut self,
        place: Place,
        result: Result<Option<EventPage>, StoreFailed>,
    ) -> Result<(), String> {
        let Some(host) = self.remembers(place) else {
            return Ok(());
        };
        host.loading = None;
        self.input(place.host, Input::Loaded(result))
    }

    /// Another program of the same database writes.
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
