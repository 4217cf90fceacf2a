//! Runs one Room: a task that drives [`Host`] with messages, time and database results, and carries
//! out its effects on sockets, store and cache.
//!
//! Owns the Room's sockets and its timer. The rules are the Room's; what every adapter does alike is
//! the host's. The registry (`rooms.rs`) starts the task and decides whether it may retire.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use colloquy_core::auth::Tokens;
use colloquy_core::ports::{Clock, Store};
use colloquy_proto::domain::{
    BatchOutcome, Caller, ConversationId, NewMessage, SendOutcome, Seq, Timestamp,
};
use colloquy_proto::protocol::{CloseCode, EventPage};
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Delivery, EncodedFrame, Host, HostConfig, Input, NewEvents,
    ProcessState, Retirement, Sink, StoreFailed, TokenRejected,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::cache_writer::CacheWriter;
use crate::perf::cross_room_commit::CommitCoalescer;
use crate::room_inbox::{RoomInbox, RoomMessage};
use crate::send_queue::{SendQueue, encode_text};

/// Messages taken from the inbox at a time.
const INBOX_BATCH: usize = 64;

/// How long sends wait for others: at most as long as the last commit took, so that waiting at most
/// doubles a message's delay.
const BATCH_POLICY: BatchPolicy = BatchPolicy {
    commit_multiple: 1,
    max_linger_ms: 10,
};

/// How long a Room without connections stays in memory: a client that reconnects within this time
/// finds its position and the newest events without a database read.
const LINGER_WHEN_EMPTY: Duration = Duration::from_secs(2);

/// How long an empty Room waits before it tries again to retire.
const MIN_RETIRE_RETRY: Duration = Duration::from_millis(20);
const MAX_RETIRE_RETRY: Duration = Duration::from_secs(5);

/// The longest sleep when no deadline is set.
const MAX_SLEEP: Duration = Duration::from_hours(1);

/// The shortest sleep: a deadline that stays in the past does not keep a core busy.
const MIN_SLEEP_MS: u64 = 1;

/// What all Rooms of this process use.
pub(crate) struct RoomContext {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: CommitCoalescer,
    pub(crate) cache_writer: CacheWriter,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) throttle_ms: i64,
    pub(crate) process: ProcessState,
    /// Set when the process shuts down.
    pub(crate) closing: AtomicBool,
}

impl RoomContext {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    const fn host_config(&self) -> HostConfig {
        HostConfig {
            throttle_ms: self.throttle_ms,
            batching: Some(BATCH_POLICY),
            // Each socket's task pings its client itself.
            watches_heartbeats: false,
        }
    }
}

/// Work in the background; its result is an input of the host.
type Job = Pin<Box<dyn Future<Output = Input<'static>> + Send>>;

struct RoomHost {
    context: Arc<RoomContext>,
    host: Host<oneshot::Sender<SendOutcome>>,
    sink: TaskSink,
    empty_since: Option<Instant>,
    retire_after: Duration,
}

/// The Room's sockets. If they are dropped while open (a panic), their clients receive 4000 and reconnect.
#[derive(Default)]
struct Sockets(HashMap<ConnectionId, Arc<SendQueue>>);

impl Drop for Sockets {
    fn drop(&mut self) {
        for send_queue in self.0.values() {
            send_queue.close(CloseCode::Restarting);
        }
    }
}

/// Serves one conversation until the Room is empty and `retire` has removed it from the registry.
pub(crate) async fn run(
    context: Arc<RoomContext>,
    conversation_id: ConversationId,
    mut inbox: RoomInbox,
    retire: impl Fn(&RoomInbox) -> bool + Send,
) {
    let mut room = RoomHost::new(context, conversation_id);
    let mut messages = Vec::new();
    // Reset only when a deadline is earlier, so that a message costs no timer; an early tick is
    // harmless.
    let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        let Some(sleep) = room.next_sleep(|| retire(&inbox)) else {
            return;
        };
        let deadline = Instant::now() + sleep;
        if alarm.is_elapsed() || deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            Some(result) = room.sink.jobs.next() => room.handle(result),
            _ = inbox.recv_many(&mut messages, INBOX_BATCH), if !room.host.is_backlogged() => {
                for message in messages.drain(..) {
                    room.receive(message);
                }
            }
            // After the messages that have already arrived, which may join the batch.
            () = ready(()), if room.is_flush_due() => room.flush(),
            () = &mut alarm => room.on_deadline(),
        }
    }
}

impl RoomHost {
    fn new(context: Arc<RoomContext>, conversation_id: ConversationId) -> Self {
        let (config, process) = (context.host_config(), context.process.clone());
        Self {
            host: Host::new(conversation_id, config, process),
            sink: TaskSink {
                context: Arc::clone(&context),
                conversation_id,
                sockets: Sockets::default(),
                jobs: FuturesUnordered::new(),
            },
            context,
            empty_since: None,
            retire_after: MIN_RETIRE_RETRY,
        }
    }

    /// How long to sleep unless something happens; `None` when the Room has retired.
    fn next_sleep(&mut self, retire: impl FnOnce() -> bool) -> Option<Duration> {
        let now = self.context.now();
        let retirement = self.host.retirement(now);
        if retirement != Retirement::Now {
            self.empty_since = None;
        }
        match retirement {
            Retirement::Now => {
                let since = *self.empty_since.get_or_insert_with(Instant::now);
                let left = LINGER_WHEN_EMPTY.saturating_sub(since.elapsed());
                if !left.is_zero() && !self.context.is_closing() {
                    return Some(left);
                }
                if retire() {
                    return None;
                }
                // A socket's task still has a sender: try again, less and less often.
                let sleep = self.retire_after;
                self.retire_after = (sleep * 2).min(MAX_RETIRE_RETRY);
                Some(sleep)
            }
            Retirement::After(at) => Some(until(at, now)),
            Retirement::NotYet => {
                self.retire_after = MIN_RETIRE_RETRY;
                let next = self.host.deadlines(now).next();
                Some(next.map_or(MAX_SLEEP, |at| until(at, now)))
            }
        }
    }

    fn receive(&mut self, message: RoomMessage) {
        match message {
            RoomMessage::Connect {
                id,
                connection,
                send_queue,
            } => {
                self.sink.sockets.0.insert(id, send_queue);
                let now = self.context.now();
                self.host.connect(id, *connection, now, &mut self.sink);
            }
            RoomMessage::Frame { id, text } => {
                let text = text.as_str();
                self.handle(Input::Frame { id, text });
            }
            RoomMessage::InvalidFrame { id, close } => {
                self.handle(Input::InvalidFrame { id, close });
            }
            RoomMessage::Drained { id } => self.handle(Input::Drained { id }),
            RoomMessage::Disconnect { id } => {
                self.sink.sockets.0.remove(&id);
                self.handle(Input::Disconnect { id });
            }
            RoomMessage::Send {
                caller,
                send,
                reply,
            } => {
                let (now, sender) = (self.context.now(), (caller.user_id, caller.session_id));
                self.host.send(sender, *send, reply, now, &mut self.sink);
            }
            RoomMessage::ChangeStored { change, done } => {
                self.handle(Input::ChangeStored(*change));
                // The caller may have given up waiting.
                let _sent = done.send(());
            }
            RoomMessage::Revoke { session_id, done } => {
                let now = self.context.now();
                self.host.revoke(&session_id, now, &mut self.sink);
                let _sent = done.send(());
            }
            RoomMessage::Shutdown => self.handle(Input::Shutdown),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.context.now();
        self.host.handle(input, now, &mut self.sink);
    }

    fn is_flush_due(&self) -> bool {
        let now = self.context.now();
        self.host.deadlines(now).flush.is_some_and(|at| at <= now)
    }

    fn flush(&mut self) {
        let now = self.context.now();
        self.host.flush_if_due(now, &mut self.sink);
    }

    fn on_deadline(&mut self) {
        let now = self.context.now();
        self.host.on_deadline(now, &mut self.sink);
    }
}

/// The effects of a Room on this process.
struct TaskSink {
    context: Arc<RoomContext>,
    conversation_id: ConversationId,
    sockets: Sockets,
    jobs: FuturesUnordered<Job>,
}

impl Sink for TaskSink {
    type Reply = oneshot::Sender<SendOutcome>;

    fn send(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Vec<ConnectionId> {
        let wire = encode_text(frames.iter().map(|frame| &**frame));
        let mut failed = Vec::new();
        for id in to {
            let Some(send_queue) = self.sockets.0.get(id) else {
                continue;
            };
            let queued = match delivery {
                Delivery::Reply => send_queue.push_reply(wire.clone()),
                Delivery::ResumePart => send_queue.push_resume_part(wire.clone()),
                Delivery::Fanout => send_queue.push_fanout(wire.clone()),
            };
            if queued.is_err() {
                let conversation_id = self.conversation_id.0;
                tracing::debug!(conversation.id = conversation_id, "closing a slow consumer");
                self.sockets.0.remove(id);
                failed.push(*id);
            }
        }
        failed
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode) {
        if let Some(send_queue) = self.sockets.0.remove(&id) {
            send_queue.close(close);
        }
    }

    fn commit(&mut self, sends: Vec<NewMessage>) {
        let committer = self.context.committer.clone();
        self.jobs.push(Box::pin(async move {
            let stored: Result<BatchOutcome, StoreFailed> = committer.commit(sends).await;
            Input::Committed(stored)
        }));
    }

    fn load(&mut self, since: Seq, limit: i64) {
        let (store, conversation_id) = (self.context.store.clone(), self.conversation_id);
        self.jobs.push(Box::pin(async move {
            let events = store.events(conversation_id, since, limit).await;
            let events: Result<Option<EventPage>, StoreFailed> = events.map_err(|error| {
                error.log("loading events failed");
                StoreFailed
            });
            Input::Loaded(events)
        }));
    }

    fn write_behind(&mut self, events: NewEvents) {
        self.context.cache_writer.push(events);
    }

    fn authenticate(
        &mut self,
        _id: ConnectionId,
        token: &str,
        now: Timestamp,
    ) -> Result<Caller, TokenRejected> {
        let verified = self.context.tokens.verify_access(token, now);
        verified.map_err(Into::into)
    }

    fn last_received(&self, id: ConnectionId, now: Timestamp) -> Option<Timestamp> {
        let silence = self.sockets.0.get(&id)?.silence().as_millis();
        let silence = i64::try_from(silence).unwrap_or(i64::MAX);
        Some(Timestamp(now.0.saturating_sub(silence)))
    }

    fn reply(&mut self, reply: Self::Reply, outcome: SendOutcome) {
        // The caller may have given up waiting.
        drop(reply.send(outcome));
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    let left = u64::try_from(at.millis_since(now)).unwrap_or(0);
    Duration::from_millis(left.max(MIN_SLEEP_MS))
}
