//! Drives one Room: a task that turns messages, time and database answers into inputs of
//! [`colloquy_proto::room::Room`] and carries out its effects.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use colloquy_core::cache::NewEvents;
use colloquy_proto::domain::{
    BatchOutcome, ConversationId, SendOutcome, Seq, SessionId, Timestamp, UserId,
};
use colloquy_proto::protocol::{CloseCode, EventPage, SendCommand, StoredEvent};
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Effect, Effects, EncodedFrame, Input, NewConnection, RequestId,
    Retirement, Room, StoreFailed,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::rooms::Shared;
use crate::send_queue::{QueueFull, SendQueue, encode_text};

/// Messages taken from the inbox at a time.
const TAKE: usize = 64;

/// How long sends wait for company: so that waiting at most doubles what a message waits for.
const PATIENCE: BatchPolicy = BatchPolicy {
    commit_multiple: 1,
    max_linger_ms: 10,
};

/// How long a Room stays when nobody needs it: who was cut off comes back, and then it stands where
/// it stood, with its newest events at hand.
const KEPT: Duration = Duration::from_secs(2);

/// How long an unneeded Room waits before it asks again whether it may go.
const MIN_RETIRE_RETRY: Duration = Duration::from_millis(20);
const MAX_RETIRE_RETRY: Duration = Duration::from_secs(5);

/// When nothing is due, the Room's task looks up this often all the same.
const IDLE: Duration = Duration::from_hours(1);

/// What reaches a Room from outside.
#[derive(Debug)]
pub(crate) enum RoomMessage {
    Connect {
        id: ConnectionId,
        connection: Box<NewConnection>,
        send_queue: Arc<SendQueue>,
    },
    Text {
        id: ConnectionId,
        text: Utf8Bytes,
    },
    Unusable {
        id: ConnectionId,
        close: CloseCode,
    },
    Disconnect {
        id: ConnectionId,
    },
    Send {
        user_id: UserId,
        session_id: SessionId,
        send: Box<SendCommand>,
        answer: oneshot::Sender<SendOutcome>,
    },
    Changed {
        change: Box<Option<StoredEvent>>,
        done: oneshot::Sender<()>,
    },
    Revoke {
        session_id: SessionId,
        done: oneshot::Sender<()>,
    },
    Shutdown,
}

/// What work in the background came to.
enum Done {
    Committed(Result<BatchOutcome, StoreFailed>),
    Loaded(Result<Option<EventPage>, StoreFailed>),
}

type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

struct RoomTask {
    shared: Arc<Shared>,
    id: ConversationId,
    room: Room,
    sockets: Sockets,
    requests: HashMap<RequestId, oneshot::Sender<SendOutcome>>,
    next_request: u64,
    jobs: FuturesUnordered<Job>,
    unneeded_since: Option<Instant>,
    retire_after: Duration,
}

/// The sockets of a Room. Dropped while some are open (a fault of ours), they are told to
/// reconnect.
#[derive(Default)]
struct Sockets(HashMap<ConnectionId, Arc<SendQueue>>);

impl Drop for Sockets {
    fn drop(&mut self) {
        for send_queue in self.0.values() {
            send_queue.close(CloseCode::Restarting);
        }
    }
}

/// Serves one conversation until nobody needs it.
pub(crate) async fn run(
    shared: Arc<Shared>,
    id: ConversationId,
    mut inbox: mpsc::Receiver<RoomMessage>,
) {
    let mut task = RoomTask {
        room: Room::new(id, shared.throttle_ms),
        shared,
        id,
        sockets: Sockets::default(),
        requests: HashMap::new(),
        next_request: 0,
        jobs: FuturesUnordered::new(),
        unneeded_since: None,
        retire_after: MIN_RETIRE_RETRY,
    };
    task.room.enable_batching(PATIENCE);
    let mut messages = Vec::new();
    // Moved only when something is due earlier, so that a message costs no timer; a tick too many
    // does no harm.
    let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        let Some(wait) = task.wait(&inbox) else {
            return;
        };
        let gathering = task.gathering();
        let due = Instant::now() + gathering.map_or(wait, |time| time.min(wait));
        if alarm.is_elapsed() || due < alarm.deadline() {
            alarm.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            Some(done) = task.jobs.next() => task.done(done),
            _ = inbox.recv_many(&mut messages, TAKE), if !task.room.is_backlogged() => {
                for message in messages.drain(..) {
                    task.message(message);
                }
            }
            // After what is already there: it may be company.
            () = ready(()), if gathering == Some(Duration::ZERO) => task.release(),
            () = &mut alarm => task.input(Input::Tick),
        }
    }
}

impl RoomTask {
    /// How long to wait for something to happen; `None` when the Room has retired.
    fn wait(&mut self, inbox: &mpsc::Receiver<RoomMessage>) -> Option<Duration> {
        let now = self.shared.clock.now();
        let idle = if self.requests.is_empty() {
            self.room.retirement(now)
        } else {
            Retirement::NotYet
        };
        if idle != Retirement::Now {
            self.unneeded_since = None;
        }
        match idle {
            Retirement::Now => {
                let since = *self.unneeded_since.get_or_insert_with(Instant::now);
                let left = KEPT.saturating_sub(since.elapsed());
                if !left.is_zero() && !self.shared.is_closing() {
                    return Some(left);
                }
                if self.shared.retire(self.id, inbox) {
                    return None;
                }
                // A socket's task still holds on to it: it asks again, less and less often.
                let wait = self.retire_after;
                self.retire_after = (wait * 2).min(MAX_RETIRE_RETRY);
                Some(wait)
            }
            Retirement::After(at) => Some(until(at, now)),
            Retirement::NotYet => {
                self.retire_after = MIN_RETIRE_RETRY;
                Some(self.room.next_wakeup(now).map_or(IDLE, |at| until(at, now)))
            }
        }
    }

    fn message(&mut self, message: RoomMessage) {
        match message {
            RoomMessage::Connect {
                id,
                connection,
                send_queue,
            } => self.connect(id, *connection, send_queue),
            RoomMessage::Text { id, text } => {
                self.input(Input::Frame {
                    id,
                    text: text.as_str(),
                });
            }
            RoomMessage::Unusable { id, close } => self.input(Input::InvalidFrame { id, close }),
            RoomMessage::Disconnect { id } => {
                self.sockets.0.remove(&id);
                self.input(Input::Disconnect { id });
            }
            RoomMessage::Send {
                user_id,
                session_id,
                send,
                answer,
            } => {
                self.next_request += 1;
                let request_id = RequestId(self.next_request);
                self.requests.insert(request_id, answer);
                self.input(Input::Send {
                    request_id,
                    user_id,
                    session_id,
                    send: *send,
                });
            }
            RoomMessage::Changed { change, done } => {
                self.input(Input::ChangeStored(*change));
                // Nobody may be waiting any more; then there is nobody to tell.
                let _told = done.send(());
            }
            RoomMessage::Revoke { session_id, done } => {
                self.input(Input::Revoke {
                    session_id: &session_id,
                });
                let _told = done.send(());
            }
            RoomMessage::Shutdown => self.input(Input::Shutdown),
        }
    }

    fn connect(&mut self, id: ConnectionId, connection: NewConnection, send_queue: Arc<SendQueue>) {
        if self.shared.is_revoked(&connection.caller.session_id) {
            send_queue.close(CloseCode::TokenInvalid);
            return;
        }
        self.sockets.0.insert(id, send_queue);
        self.input(Input::Connect { id, connection });
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Committed(result) => self.input(Input::Committed(result)),
            Done::Loaded(result) => self.input(Input::Loaded(result)),
        }
    }

    /// How long what has gathered goes on waiting for more; `None` when nothing has.
    fn gathering(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        let at = self.room.flush_deadline(now)?;
        let left = at.millis_since(now).try_into().unwrap_or(0);
        Some(Duration::from_millis(left))
    }

    /// Lets what has gathered leave.
    fn release(&mut self) {
        let effects = self.room.flush(self.shared.clock.now());
        self.carry_out(effects);
    }

    fn input(&mut self, input: Input<'_>) {
        let effects = self.room.handle(input, self.shared.clock.now());
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Reply { to, frames } => self.queue(&[to], &frames, SendQueue::answer),
                Effect::Fanout { to, frames } => self.queue(&to, &frames, SendQueue::push),
                Effect::Close { id, close } => {
                    if let Some(send_queue) = self.sockets.0.remove(&id) {
                        send_queue.close(close);
                    }
                }
                Effect::Commit(sends) => {
                    let committer = self.shared.committer.clone();
                    let job = async move { Done::Committed(committer.commit(sends).await) };
                    self.jobs.push(Box::pin(job));
                }
                Effect::Load { since, limit } => self.load(since, limit),
                Effect::CacheEvents { epoch, events } => {
                    self.shared.cache_writer.record(NewEvents {
                        conversation_id: self.id,
                        epoch,
                        events,
                    });
                }
                Effect::Authenticate { id, token } => self.authenticate(id, &token),
                Effect::CompleteRequest {
                    request_id,
                    outcome,
                } => {
                    if let Some(answer) = self.requests.remove(&request_id) {
                        drop(answer.send(outcome));
                    }
                }
            }
        }
    }

    fn queue(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        push: fn(&SendQueue, Bytes) -> Result<(), QueueFull>,
    ) {
        let wire = encode_text(frames.iter().map(|frame| &**frame));
        for id in to {
            let Some(send_queue) = self.sockets.0.get(id) else {
                continue;
            };
            if push(send_queue, wire.clone()).is_err() {
                tracing::debug!(conversation.id = self.id.0, "closing a slow reader");
                self.sockets.0.remove(id);
                // Leads to no effects: a connection that left is only forgotten.
                drop(
                    self.room
                        .handle(Input::Disconnect { id: *id }, self.shared.clock.now()),
                );
            }
        }
    }

    fn load(&mut self, since: Seq, limit: i64) {
        let (store, id) = (self.shared.store.clone(), self.id);
        self.jobs.push(Box::pin(async move {
            let events = store.events(id, since, limit).await;
            Done::Loaded(events.map_err(|error| {
                error.log("a load failed");
                StoreFailed
            }))
        }));
    }

    fn authenticate(&mut self, id: ConnectionId, token: &str) {
        let now = self.shared.clock.now();
        let result = self
            .shared
            .tokens
            .verify_access(token, now)
            .map_err(Into::into);
        self.input(Input::Authenticated { id, result });
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.millis_since(now)).unwrap_or(0) + 1)
}
