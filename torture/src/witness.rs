//! Looks into the database the moment something was delivered: nothing may be delivered before it
//! is stored.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::database::Database;
use crate::log::{Event, Room};

/// What came of looking.
#[derive(Debug, Default)]
pub(crate) struct Testimony {
    /// How many deliveries were looked up.
    pub(crate) seen: u64,
    /// Those that were not stored when they were delivered.
    pub(crate) early: Vec<String>,
}

/// Looks up what comes until nobody delivers any more.
pub(crate) async fn watch(
    databases: Vec<Database>,
    mut delivered: UnboundedReceiver<(Room, Event)>,
) -> Testimony {
    let mut testimony = Testimony::default();
    while let Some((room, event)) = delivered.recv().await {
        let Some(database) = databases.get(room.server) else {
            continue;
        };
        // A database that is away answers nothing, not that there is nothing.
        let Ok(found) = database.message(room, event.number).await else {
            continue;
        };
        testimony.seen += 1;
        if found != Some(event.message_id) {
            let sentence = format!("{room:?}: {event:?} was delivered, stored was {found:?}");
            testimony.early.push(sentence);
        }
    }
    testimony
}
