//! The reset of connections whose history cannot be continued: too many missed events, or another
//! epoch.

use super::{ConnectionId, Effects, Room};
use crate::domain::{Epoch, Position, Seq};
use crate::protocol::{CloseCode, Reset, ResetReason};

impl Room {
    /// The database has another history: discards the old one and resets every connection.
    pub(super) fn change_epoch(&mut self, position: Position, effects: &mut Effects) {
        self.replay_buffer.clear();
        self.highest_seen = position.seq;
        let (seq, epoch) = (position.seq, position.epoch.clone());
        self.head = Some(position);
        self.recent_removals.reset(seq);
        for id in self.connections.ids_where(|_| true) {
            self.connections.mark_dirty(id);
            if let Some(connection) = self.connections.get_mut(id) {
                // A position in the old history does not order removals in the new one.
                connection.membership_seen_at = connection.membership_seen_at.min(seq);
            }
            self.reset(id, ResetReason::EpochChanged, (seq, &epoch), effects);
        }
    }

    /// Ends a resume and continues the connection at `seq`. A v2 client receives `reset`.
    pub(super) fn reset(
        &mut self,
        id: ConnectionId,
        reason: ResetReason,
        (seq, epoch): (Seq, &Epoch),
        effects: &mut Effects,
    ) {
        self.connections.set_pending_resume(id, None);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.delivered = seq;
        if connection.is_v2() {
            let epoch = epoch.clone();
            let reset = Reset { reason, seq, epoch };
            effects.reply(id, reset.encode());
        } else {
            // Protocol v1 has no `reset`: the client reconnects and reads the history.
            self.close(id, CloseCode::Restarting, effects);
        }
    }
}
