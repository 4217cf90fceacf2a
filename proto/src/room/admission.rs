//! The admission of a socket: the checks between its authorization and its first frame, and the
//! starting point of its events.

use super::removals::Membership;
use super::{ConnectionId, Effect, Effects, NewConnection, Room};
use crate::domain::{Admission, Seq, Timestamp, UserId};
use crate::protocol::{CloseCode, Hello, Limits, MAX_SOCKETS_PER_USER};

impl Room {
    pub(super) fn connect(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let user_id = connection.caller.user_id;
        let admission = connection.admission.clone();
        let admitted_at = admission.position.seq;
        let head = self.sync_head_with_admission(admission, now, effects);
        if let Err(close) = self.check_admission(user_id, admitted_at) {
            effects.push(Effect::Close { id, close });
            return;
        }
        let v2 = connection.v2;
        self.connections.insert(id, connection, head);
        if v2 {
            self.send_hello(id, now, effects);
        } else if admitted_at != head {
            // A v1 client expects every event since it was authorized and cannot ask for missed
            // ones.
            self.start_resume(id, admitted_at, now, effects);
        }
    }

    /// Returns the head, initialized from the admission if the Room has none or the database has
    /// another history.
    fn sync_head_with_admission(
        &mut self,
        admission: Admission,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Seq {
        let Admission {
            position,
            last_removal_seq,
        } = admission;
        let seq = position.seq;
        match &self.head {
            Some(head) if head.epoch == position.epoch => {
                self.highest_seen = self.highest_seen.max(seq);
                head.seq
            }
            Some(_) => {
                self.change_epoch(position, effects);
                seq
            }
            None => {
                // Without a head, what was seen before may be of another epoch.
                self.highest_seen = seq;
                self.head = Some(position);
                self.recent_removals.reset(last_removal_seq);
                // Another Room may have stored events since the position was read.
                self.event_loader.recheck_now(now);
                seq
            }
        }
    }

    fn check_admission(&self, user_id: UserId, admitted_at: Seq) -> Result<(), CloseCode> {
        match self.recent_removals.membership(admitted_at, user_id) {
            Membership::Active => {}
            Membership::Removed => return Err(CloseCode::NotMember),
            // The client reconnects and is authorized at a later position.
            Membership::Unknown => return Err(CloseCode::Restarting),
        }
        if self.closing {
            return Err(CloseCode::Restarting);
        }
        if self.connections.count_of_user(user_id) >= MAX_SOCKETS_PER_USER {
            return Err(CloseCode::TooManySockets);
        }
        Ok(())
    }

    pub(super) fn send_hello(&self, id: ConnectionId, now: Timestamp, effects: &mut Effects) {
        let (Some(head), Some(connection)) = (&self.head, self.connections.get(id)) else {
            return;
        };
        let hello = Hello::new(
            self.conversation_id,
            head.epoch.clone(),
            (head.seq, head.number),
            connection.user_id,
            (connection.expires_at(), now),
            Limits::with_throttle(self.throttle_ms),
        );
        effects.reply(id, hello.encode());
    }
}
