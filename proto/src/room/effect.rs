//! What a Room wants done. The driver does it, in this order, and reports back by inputs.

use std::sync::Arc;

use super::input::{ConnectionId, EncodedFrame, RequestId};
use crate::domain::{Epoch, NewMessage, SendOutcome, Seq};
use crate::protocol::CloseCode;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Queue frames for one connection: the answers to what it asked for, in one piece.
    Reply {
        /// For whom.
        to: ConnectionId,
        /// What, in order.
        frames: Vec<EncodedFrame>,
    },
    /// Queue the same frames for many, after everything queued before.
    Fanout {
        /// For whom; never empty.
        to: Vec<ConnectionId>,
        /// What, in order.
        frames: Vec<EncodedFrame>,
    },
    /// Close a connection once what is queued has gone out. The Room has forgotten it already.
    Close {
        /// Which.
        id: ConnectionId,
        /// Why.
        close: CloseCode,
    },
    /// Store these in one transaction; answer by [`super::Input::Committed`]. At most one at a time.
    Commit(Vec<NewMessage>),
    /// Read events after `since`; answer by [`super::Input::Loaded`]. At most one at a time.
    Load {
        /// The position before the first wanted.
        since: Seq,
        /// How many at most.
        limit: i64,
    },
    /// Put committed events into the cache. Needs no answer and may fail or be merged freely.
    CacheEvents {
        /// The history they belong to.
        epoch: Epoch,
        /// Position and JSON, ascending.
        events: Vec<(Seq, EncodedFrame)>,
    },
    /// Verify an access token; answer by [`super::Input::Authenticated`].
    Authenticate {
        /// Who sent it.
        id: ConnectionId,
        /// The token.
        token: Arc<str>,
    },
    /// Answer a REST send.
    CompleteRequest {
        /// Which.
        request_id: RequestId,
        /// With what.
        outcome: SendOutcome,
    },
}

/// What one input led to, in order.
#[derive(Debug, Default)]
#[must_use = "a Room has no hands: what it wants done is done by its driver or not at all"]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// What one connection is answered in a row goes out in one piece.
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
