//! The jobs of a Room's object: what takes time and runs beside further events.
//!
//! Owns how each is done and to which Room its result goes. Every job ends: statements, calls of
//! other objects and cache writes have deadlines of their own. A job that panics would leave the Room
//! waiting for its result, so the Room is dropped with it ([`RoomSlot`](crate::room_slot::RoomSlot)).

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use colloquy_core::ports::{Clock as _, Store as _, StoreError};
use colloquy_proto::domain::Timestamp;
use colloquy_proto::room::{Input, StoreFailed};
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use worker::{Delay, Result};

use crate::clock::{EdgeClock, remaining, staggered_delay};
use crate::hibernation::CONVERSATION_KEY;
use crate::object_sink::Job;
use crate::room_do::Inner;
use crate::room_host::RoomHost;
use crate::room_slot::Generation;
use crate::rpc_messages::RegisterResponse;

/// How long committed events wait to be written to the cache, while the conversation is not active.
const WRITE_AFTER: Duration = Duration::from_millis(25);

/// How long they wait at most while it is active: a cache write for each message is a third of the
/// message's cost. Each Room writes at its own offset in this period; Rooms that became active
/// together would otherwise write together and delay all others. Until the write, the history is
/// read from the database, and the reader fills the cache.
const WRITE_PERIOD: Duration = Duration::from_secs(3);

/// The time between two parts of a resume: the runtime reports nothing about what a client has read.
const RESUME_PACE: Duration = Duration::from_millis(25);

impl Inner {
    /// Runs a job of the Room of this generation while the object handles other events.
    pub(crate) fn start(self: &Rc<Self>, job: Job, generation: Generation) {
        let inner = Rc::clone(self);
        let uses_database = matches!(job, Job::Commit(_) | Job::Load { .. });
        if uses_database && let Ok(database) = self.database() {
            database.begin();
        }
        let work = async move {
            match AssertUnwindSafe(inner.run(job, generation))
                .catch_unwind()
                .await
            {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(error = %error, "background job failed"),
                Err(_) => {
                    tracing::error!("background job panicked; the next event restores the room");
                    inner.room.drop_generation(generation);
                }
            }
            if uses_database && let Ok(database) = inner.database() {
                database.done().await;
            }
        };
        // In the span of the request that caused it, if one did.
        self.state.wait_until(work.in_current_span());
    }

    async fn run(self: &Rc<Self>, job: Job, generation: Generation) -> Result<()> {
        match job {
            Job::Commit(sends) => {
                let stored = self.database()?.store.append(&sends).await;
                #[cfg(feature = "faults")]
                crate::faults::panic_if_armed(self.conversation_id()?);
                let stored = stored.map_err(|error| failed(&error, "commit failed"));
                self.deliver(generation, |room| room.committed(stored))
            }
            Job::Load { since, limit } => {
                let id = self.conversation_id()?;
                let events = self.database()?.store.events(id, since, limit).await;
                let events = events.map_err(|error| failed(&error, "loading events failed"));
                self.deliver(generation, |room| room.handle(Input::Loaded(events)))
            }
            Job::Flush(at) => {
                let left = at.millis_since(EdgeClock.now()).try_into().unwrap_or(0);
                Delay::from(Duration::from_millis(left)).await;
                self.deliver(generation, |room| room.flush(at))
            }
            Job::Drained(id) => {
                Delay::from(RESUME_PACE).await;
                self.with(None, |room| room.handle(Input::Drained { id }))
            }
            Job::WriteCache => self.write_cache(generation).await,
            Job::SetAlarm(at) => self.set_alarm(at).await,
            Job::ExtendSession(session_id, until) => {
                match self.register_socket(&session_id, until).await? {
                    RegisterResponse::Revoked => self.with(None, |room| room.revoke(&session_id)),
                    RegisterResponse::Registered | RegisterResponse::TooManyRooms => Ok(()),
                }
            }
        }
    }

    /// Passes the result of a job to the Room that started it. If that one was dropped, the Room of
    /// now only checks for what was stored in the meantime.
    fn deliver(
        self: &Rc<Self>,
        generation: Generation,
        result: impl FnOnce(&mut RoomHost),
    ) -> Result<()> {
        if self.room.generation() == generation {
            self.with(None, result)
        } else {
            self.with(None, |room| room.handle(Input::ChangeStored(None)))
        }
    }

    /// Writes events to the cache some time after their delivery: no client waits for it, and an active
    /// Room writes less often. Ends with its Room; another one starts its own writes.
    async fn write_cache(self: &Rc<Self>, generation: Generation) -> Result<()> {
        let (recent, database) = (&self.shared()?.recent, self.database()?);
        let mut more = true;
        while more {
            Delay::from(WRITE_AFTER).await;
            while let (Some(left), Some(idle)) =
                (self.until_next_write(), database.time_until_idle())
            {
                Delay::from(left.min(idle)).await;
            }
            if self.room.generation() != generation {
                return Ok(());
            }
            let batch = self.with(None, RoomHost::drain_events)?;
            recent.record(&batch).await;
            self.cache_written_at.set(Some(EdgeClock.now()));
            if self.room.generation() != generation {
                return Ok(());
            }
            more = self.with(None, RoomHost::cache_written)?;
        }
        Ok(())
    }

    /// How long events may still wait, given the last write.
    fn until_next_write(&self) -> Option<Duration> {
        let (id, then) = (self.conversation_id.get()?, self.cache_written_at.get()?);
        let delay = staggered_delay(WRITE_PERIOD, id.0, then);
        remaining(delay, Some(then), EdgeClock.now())
    }

    /// Makes sure that the alarm fires at this time or earlier. Setting it is a billed write, and a Room
    /// that was just restored does not know whether it is set.
    async fn set_alarm(&self, at: Timestamp) -> Result<()> {
        let storage = self.state.storage();
        if storage.get_alarm().await?.is_some_and(|set| set <= at.0) {
            return Ok(());
        }
        storage
            .put(CONVERSATION_KEY, self.conversation_id()?.0)
            .await?;
        storage
            .set_alarm(at.millis_since(EdgeClock.now()).max(0))
            .await
    }
}

/// Logs a failure; the Room is passed only that it failed.
fn failed(error: &StoreError, what: &'static str) -> StoreFailed {
    error.log(what);
    StoreFailed
}
