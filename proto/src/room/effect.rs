//! The effects of a Room. The host executes them in order and reports results as inputs.

use std::sync::Arc;

use super::input::{ConnectionId, EncodedFrame, RequestId};
use crate::domain::{Epoch, NewMessage, SendOutcome, Seq};
use crate::protocol::CloseCode;

/// One effect.
#[derive(Debug)]
pub enum Effect {
    /// Queue frames for one connection, as one unit: the replies to its commands.
    Reply {
        /// The connection.
        to: ConnectionId,
        /// The frames, in order.
        frames: Vec<EncodedFrame>,
    },
    /// Queue a part of a resume for one connection, as one unit, and report
    /// [`super::Input::Drained`] when the client has taken everything queued so far. Until then the
    /// Room sends no further part.
    ResumePart {
        /// The connection.
        to: ConnectionId,
        /// The frames, in order.
        frames: Vec<EncodedFrame>,
    },
    /// Queue the same frames for many connections, after everything queued before.
    Fanout {
        /// The connections; never empty.
        to: Vec<ConnectionId>,
        /// The frames, in order.
        frames: Vec<EncodedFrame>,
    },
    /// Close a connection after its queued frames are sent. The Room has already removed it, or has
    /// refused to add it.
    Close {
        /// The connection.
        id: ConnectionId,
        /// The close code.
        close: CloseCode,
    },
    /// Store these messages in one transaction; report [`super::Input::Committed`]. At most one
    /// commit is in flight.
    Commit(Vec<NewMessage>),
    /// Read the events after `since`; report [`super::Input::Loaded`]. At most one load is in
    /// flight.
    Load {
        /// The position before the first event to read.
        since: Seq,
        /// The maximum number of events.
        limit: i64,
    },
    /// Write committed events to the cache. Has no result; writes may fail or be combined.
    CacheEvents {
        /// The history the events belong to.
        epoch: Epoch,
        /// Position and JSON of each event, ascending.
        events: Vec<(Seq, EncodedFrame)>,
    },
    /// Verify an access token; report [`super::Input::Authenticated`].
    Authenticate {
        /// The connection that sent the token.
        id: ConnectionId,
        /// The token.
        token: Arc<str>,
    },
    /// Complete a REST send.
    CompleteRequest {
        /// The request.
        request_id: RequestId,
        /// Its outcome.
        outcome: SendOutcome,
    },
}

/// The effects of one input, in order.
#[derive(Debug, Default)]
#[must_use = "a Room performs no I/O: its host must execute the effects"]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Adds a reply. Consecutive replies to one connection become one effect.
    pub(super) fn reply(&mut self, to: ConnectionId, frame: EncodedFrame) {
        match self.0.last_mut() {
            Some(Effect::Reply { to: last, frames }) if *last == to => frames.push(frame),
            _ => self.0.push(Effect::Reply {
                to,
                frames: vec![frame],
            }),
        }
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
