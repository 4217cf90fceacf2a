//! What a host needs from its adapter.

use super::super::{ConnectionId, EncodedFrame, TokenRejected};
use super::NewEvents;
use crate::domain::{Caller, NewMessage, SendOutcome, Seq, Timestamp};
use crate::protocol::CloseCode;

/// How frames are delivered. A bounded queue counts the two kinds separately, so that neither a
/// busy Room nor a client with many requests uses up the share of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// To the one connection that sent the commands.
    Reply,
    /// A part of a resume, to the one connection that asked. The adapter passes
    /// [`super::Input::Drained`] when the client has taken it; an adapter that cannot see that does
    /// so after a pause.
    ResumePart,
    /// The same frames to many connections.
    Fanout,
}

/// Executes the effects of one Room, in the order of the calls. No method waits: what takes time is
/// started here, and its result is passed to the host as an input.
pub trait Sink {
    /// The handle by which a REST request is answered.
    type Reply;

    /// Queues frames, in order, for each connection; a connection takes all of them or none. Returns
    /// the connections that failed (closed, or too slow), and closes those itself: the host
    /// disconnects them from the Room. Empty, without an allocation, when none failed.
    fn send(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Vec<ConnectionId>;

    /// Closes a connection once what is queued for it has been sent.
    fn close(&mut self, id: ConnectionId, close: CloseCode);

    /// Starts storing these sends in one transaction; the result is [`super::Input::Committed`]. At
    /// most one at a time.
    fn commit(&mut self, sends: Vec<NewMessage>);

    /// Starts reading at most `limit` events after `since`; the result is [`super::Input::Loaded`].
    /// At most one at a time.
    fn load(&mut self, since: Seq, limit: i64);

    /// Takes committed events to write to the cache later, by a [`super::WriteBuffer`].
    fn write_behind(&mut self, events: NewEvents);

    /// Verifies an access token.
    ///
    /// # Errors
    /// Why the token is not accepted.
    fn authenticate(
        &mut self,
        id: ConnectionId,
        token: &str,
        now: Timestamp,
    ) -> Result<Caller, TokenRejected>;

    /// Answers a REST request.
    fn reply(&mut self, reply: Self::Reply, outcome: SendOutcome);

    /// When the last frame of a connection was received, where the adapter watches its sockets itself.
    fn last_received(&self, _id: ConnectionId, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Whether sends may wait for their batch to grow. An adapter whose Rooms share one thread
    /// returns false while that thread has nothing else to do.
    fn may_linger(&self, _now: Timestamp) -> bool {
        true
    }
}
