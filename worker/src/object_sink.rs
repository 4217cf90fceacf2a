//! Carries out the effects of a Room on its object: frames to the runtime's sockets, and jobs.
//!
//! Owns the sockets of the Room and the count of what each was sent, the bound on what the runtime
//! queues for a client that does not read (`unconfirmed.rs`). Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;

use colloquy_core::auth::Tokens;
use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{
    Caller, ConversationId, NewMessage, SendOutcome, Seq, SessionId, Timestamp,
};
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{
    ConnectionId, Delivery, EncodedFrame, NewEvents, Sink, TokenRejected, WriteBuffer,
};
use futures_channel::oneshot;
use worker::WebSocket;

use crate::clock::EdgeClock;
use crate::hibernation::end;
use crate::perf::isolate_load;
use crate::perf::shared_frames::SharedFrames;
use crate::unconfirmed::{Bound, Unconfirmed};

/// Work that takes time.
pub(crate) enum Job {
    /// Store a batch.
    Commit(Vec<NewMessage>),
    /// Read events.
    Load { since: Seq, limit: i64 },
    /// Write the buffered events to the cache, until none are left.
    WriteCache,
    /// Call `RoomHost::flush` at this time.
    Flush(Timestamp),
    /// Wake the object at this time at the latest.
    SetAlarm(Timestamp),
    /// Report that a client has taken its part of a resume.
    Drained(ConnectionId),
    /// A session continues with a newer token: its object has to keep it for longer.
    ExtendSession(SessionId, Timestamp),
}

/// A socket, and how much it was sent.
pub(crate) struct OutgoingSocket {
    pub(crate) socket: WebSocket,
    pub(crate) unconfirmed: Unconfirmed,
}

impl From<WebSocket> for OutgoingSocket {
    fn from(socket: WebSocket) -> Self {
        let unconfirmed = Unconfirmed::default();
        Self {
            socket,
            unconfirmed,
        }
    }
}

/// The effects of a Room on its object.
pub(crate) struct ObjectSink {
    pub(crate) conversation_id: ConversationId,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) sockets: HashMap<ConnectionId, OutgoingSocket>,
    pub(crate) write_buffer: WriteBuffer,
    pub(crate) jobs: Vec<Job>,
    /// Whether a part of a resume was sent since the alarm was last considered.
    pub(crate) sent_part: bool,
    /// The sockets that `RoomHost::check_unconfirmed` has to look at.
    pub(crate) to_check: Vec<ConnectionId>,
}

impl Sink for ObjectSink {
    type Reply = oneshot::Sender<SendOutcome>;

    fn send(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Vec<ConnectionId> {
        let any = to.iter().find_map(|id| self.sockets.get(id));
        let shared = any
            .filter(|_| to.len() > 1)
            .and_then(|any| SharedFrames::of(&any.socket, frames));
        let bytes = frames.iter().map(|frame| frame.len()).sum();
        let mut failed = Vec::new();
        for id in to {
            let Some(outgoing) = self.sockets.get_mut(id) else {
                continue;
            };
            if outgoing.unconfirmed.add(bytes) == Bound::Reached {
                self.to_check.push(*id);
            }
            let socket = &outgoing.socket;
            let sent = match &shared {
                Some(shared) => shared.send(socket),
                None => frames
                    .iter()
                    .all(|frame| socket.send_with_str(frame).is_ok()),
            };
            if !sent {
                // It is closed; the runtime may report that later or never.
                self.sockets.remove(id);
                failed.push(*id);
            }
        }
        if delivery == Delivery::ResumePart {
            self.sent_part = true;
            self.jobs.extend(to.iter().copied().map(Job::Drained));
        }
        failed
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode) {
        if let Some(outgoing) = self.sockets.remove(&id) {
            end(&outgoing.socket, close);
        }
    }

    fn commit(&mut self, sends: Vec<NewMessage>) {
        isolate_load::begin(self.conversation_id, EdgeClock.now());
        self.jobs.push(Job::Commit(sends));
    }

    fn load(&mut self, since: Seq, limit: i64) {
        self.jobs.push(Job::Load { since, limit });
    }

    fn write_behind(&mut self, events: NewEvents) {
        if self.write_buffer.push(events) {
            self.jobs.push(Job::WriteCache);
        }
    }

    fn authenticate(
        &mut self,
        _id: ConnectionId,
        token: &str,
        now: Timestamp,
    ) -> Result<Caller, TokenRejected> {
        let verified = self.tokens.verify_access(token, now);
        if let Ok(caller) = &verified {
            let session_id = caller.session_id.clone();
            let extend = Job::ExtendSession(session_id, caller.expires_at);
            self.jobs.push(extend);
        }
        verified.map_err(Into::into)
    }

    fn reply(&mut self, reply: Self::Reply, outcome: SendOutcome) {
        // The caller may have given up waiting.
        drop(reply.send(outcome));
    }

    fn may_linger(&self, now: Timestamp) -> bool {
        isolate_load::is_contended(self.conversation_id, now)
    }
}
