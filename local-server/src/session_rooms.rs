//! In which Rooms each session has sockets, so that a revocation wakes no other Room.
//!
//! An entry is made before a socket connects to its Room and removed when its task ends; a message
//! costs nothing here. INVARIANT: a revocation is remembered (`ProcessState`) before the entries are
//! read, so that a socket is found here or refused when it connects.

use std::sync::Arc;

use colloquy_proto::domain::{ConversationId, SessionId};
use dashmap::DashMap;

/// The sockets of this process by session. Clones share their contents.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionRooms(Arc<DashMap<SessionId, Vec<ConversationId>>>);

impl SessionRooms {
    /// Records a socket for as long as the returned value lives.
    pub(crate) fn enter(
        &self,
        session_id: SessionId,
        conversation_id: ConversationId,
    ) -> SessionSocket {
        let mut rooms = self.0.entry(session_id.clone()).or_default();
        rooms.push(conversation_id);
        drop(rooms);
        SessionSocket {
            sessions: self.clone(),
            session_id,
            conversation_id,
        }
    }

    /// The conversations where the session has sockets, each once.
    pub(crate) fn rooms_of(&self, session_id: &SessionId) -> Vec<ConversationId> {
        let rooms = self.0.get(session_id);
        let mut rooms = rooms.map_or_else(Vec::new, |rooms| rooms.clone());
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }
}

/// One socket of a session.
#[derive(Debug)]
pub(crate) struct SessionSocket {
    sessions: SessionRooms,
    session_id: SessionId,
    conversation_id: ConversationId,
}

impl Drop for SessionSocket {
    fn drop(&mut self) {
        self.sessions.0.remove_if_mut(&self.session_id, |_, rooms| {
            let position = rooms.iter().rposition(|id| *id == self.conversation_id);
            if let Some(position) = position {
                rooms.swap_remove(position);
            }
            rooms.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_recorded_while_it_has_sockets() {
        let sessions = SessionRooms::default();
        let [one, other] = ["one", "other"].map(|name| SessionId(name.into()));
        let [first, second] = [1, 2].map(ConversationId);
        let sockets = [
            (&one, first),
            (&one, first),
            (&one, second),
            (&other, second),
        ];
        let mut entries: Vec<SessionSocket> = sockets
            .map(|(session, room)| sessions.enter(session.clone(), room))
            .into();
        assert_eq!(sessions.rooms_of(&one), [first, second]);
        assert_eq!(sessions.rooms_of(&other), [second]);
        entries.remove(0);
        assert_eq!(sessions.rooms_of(&one), [first, second]);
        entries.remove(0);
        assert_eq!(sessions.rooms_of(&one), [second]);
        entries.clear();
        assert!(sessions.0.is_empty());
    }
}
