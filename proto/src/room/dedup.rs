//! The dedup window: the newest stored sends. A send with the same `client_message_id` is
//! acknowledged from here, without a database query and regardless of the throttle. Older
//! duplicates are recognised by the database.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{ClientMessageId, StoredMessage, UserId};

/// How many stored sends the window holds.
const MAX_SENDS: usize = 128;

type Key = (UserId, ClientMessageId);

#[derive(Debug, Default)]
pub(super) struct RecentSends {
    stored: BTreeMap<Key, StoredMessage>,
    oldest_first: VecDeque<Key>,
}

impl RecentSends {
    pub(super) fn get(
        &self,
        user_id: UserId,
        client_message_id: &ClientMessageId,
    ) -> Option<&StoredMessage> {
        self.stored.get(&(user_id, client_message_id.clone()))
    }

    /// Adds a stored send. The oldest entry is evicted when the window is full.
    pub(super) fn insert(
        &mut self,
        user_id: UserId,
        client_message_id: ClientMessageId,
        stored: StoredMessage,
    ) {
        let key = (user_id, client_message_id);
        if self.stored.insert(key.clone(), stored).is_none() {
            self.oldest_first.push_back(key);
        }
        while self.oldest_first.len() > MAX_SENDS {
            let Some(oldest) = self.oldest_first.pop_front() else {
                break;
            };
            self.stored.remove(&oldest);
        }
    }

    /// The stored sends of a user, newest first.
    pub(super) fn of_user(
        &self,
        user_id: UserId,
    ) -> impl Iterator<Item = (&ClientMessageId, &StoredMessage)> {
        self.oldest_first
            .iter()
            .rev()
            .filter(move |(sender_id, _)| *sender_id == user_id)
            .filter_map(|key| Some((&key.1, self.stored.get(key)?)))
    }
}
