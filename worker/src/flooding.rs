//! What becomes of a client that goes on sending after its socket was closed.
//!
//! The runtime delivers such frames one by one until the client closes its end too; nothing ends one
//! socket's connection, or reads it more slowly. A client that sends without pause would occupy the
//! thread that all Rooms of the isolate share. So beyond a rate the Room's object is reset, which ends
//! the connections of all its sockets. The other clients resume; this client's user gets no socket to
//! the conversation for a while.
//!
//! Pings that the runtime answers itself are not seen here (`RoomObject::new`).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use colloquy_proto::domain::{ConversationId, Timestamp, UserId};

/// How many frames of closed sockets an object drops in a window. They take the thread less than a
/// quarter of a second.
const MAX_DROPPED_FRAMES: u32 = 10_000;

/// A client that observes the close sends no more than what is in flight.
const WINDOW_MS: i64 = 10_000;

/// How long a user is refused after a reset.
const REFUSED_MS: i64 = 60_000;

/// The most users that are refused at once; a further one is not.
const MAX_REFUSED: usize = 10_000;

/// The frames that an object has dropped lately.
#[derive(Debug, Default)]
pub(crate) struct DroppedFrames {
    window_starts_at: Cell<Timestamp>,
    count: Cell<u32>,
}

impl DroppedFrames {
    /// Counts a frame; true when the object has to be reset. That is said once a window.
    pub(crate) fn count(&self, now: Timestamp) -> bool {
        let started = self.window_starts_at.get();
        if !(0..WINDOW_MS).contains(&(now.0 - started.0)) {
            self.window_starts_at.set(now);
            self.count.set(0);
        }
        self.count.set(self.count.get().saturating_add(1));
        self.count.get() == MAX_DROPPED_FRAMES
    }
}

thread_local! {
    static REFUSED: RefCell<RefusedUsers> = RefCell::default();
}

/// Refuses a user sockets to the conversation from now on.
pub(crate) fn refuse(conversation_id: ConversationId, user_id: UserId, now: Timestamp) {
    REFUSED.with_borrow_mut(|refused| refused.add(conversation_id, user_id, now));
}

/// Whether a user is refused a socket.
pub(crate) fn is_refused(conversation_id: ConversationId, user_id: UserId, now: Timestamp) -> bool {
    REFUSED.with_borrow(|refused| refused.contains(conversation_id, user_id, now))
}

/// Who made an object be reset, and when. It is in the isolate's memory, because the object's is lost.
#[derive(Default)]
struct RefusedUsers(HashMap<(ConversationId, UserId), Timestamp>);

impl RefusedUsers {
    fn add(&mut self, conversation_id: ConversationId, user_id: UserId, now: Timestamp) {
        self.0.retain(|_, since| is_recent(*since, now));
        if self.0.len() < MAX_REFUSED {
            self.0.insert((conversation_id, user_id), now);
        }
    }

    fn contains(&self, conversation_id: ConversationId, user_id: UserId, now: Timestamp) -> bool {
        let since = self.0.get(&(conversation_id, user_id));
        since.is_some_and(|since| is_recent(*since, now))
    }
}

fn is_recent(since: Timestamp, now: Timestamp) -> bool {
    (0..REFUSED_MS).contains(&(now.0 - since.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: ConversationId = ConversationId(1);
    const USER: UserId = UserId(2);

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000_000 + ms)
    }

    #[test]
    fn object_is_reset_by_many_dropped_frames_in_a_window() {
        let dropped = DroppedFrames::default();
        let resets = (1..=MAX_DROPPED_FRAMES).map(|_| dropped.count(at(0)));
        assert_eq!(resets.filter(|reset| *reset).count(), 1);
        assert!(!dropped.count(at(9_999)), "the reset is requested already");
        let slow = DroppedFrames::default();
        for frame in 0..i64::from(2 * MAX_DROPPED_FRAMES) {
            assert!(!slow.count(at(frame * 2)), "{frame}");
        }
    }

    #[test]
    fn user_is_refused_for_a_minute_in_that_conversation() {
        let mut refused = RefusedUsers::default();
        refused.add(CONVERSATION, USER, at(0));
        assert!(refused.contains(CONVERSATION, USER, at(59_999)));
        assert!(!refused.contains(CONVERSATION, USER, at(60_000)));
        assert!(
            !refused.contains(CONVERSATION, USER, at(-1)),
            "the clock was set back"
        );
        assert!(!refused.contains(ConversationId(3), USER, at(0)));
        assert!(!refused.contains(CONVERSATION, UserId(3), at(0)));
    }

    #[test]
    fn old_refusals_are_removed_and_their_number_is_bounded() {
        let mut refused = RefusedUsers::default();
        for id in 0..=10_000 {
            refused.add(CONVERSATION, UserId(id), at(0));
        }
        assert_eq!(refused.0.len(), MAX_REFUSED);
        refused.add(CONVERSATION, USER, at(60_000));
        assert_eq!(refused.0.len(), 1);
    }
}
