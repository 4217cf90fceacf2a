//! Looks into the database the moment something was delivered: nothing may be delivered before it
//! is stored. What comes while it still looks for [`AT_ONCE`] others is left out, since it would be
//! looked up late, when it may be stored after all.

use tokio::sync::mpsc::Receiver;

use crate::database::{Database, Lookup};
use crate::log::{Event, Room};

/// Deliveries that may wait to be looked up.
pub(crate) const AT_ONCE: usize = 8;

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
    mut delivered: Receiver<(Room, Event)>,
) -> Testimony {
    let mut lookups: Vec<Lookup> = databases.into_iter().map(Lookup::of).collect();
    let mut testimony = Testimony::default();
    while let Some((room, event)) = delivered.recv().await {
        let Some(lookup) = lookups.get_mut(room.server) else {
            continue;
        };
        // A database that is away answers nothing, not that there is nothing.
        let Ok(found) = lookup.message(room, event.number).await else {
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
    use tokio::sync::mpsc;

    use super::*;
    use crate::key::Key;

    #[tokio::test]
    async fn what_is_delivered_and_not_stored_so_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("messages").display());
        let mut stored = SqliteConnection::connect(&format!("{url}?mode=rwc"))
            .await
            .unwrap();
        let table = "create table messages (id, conversation_id, number);
            insert into messages values (11, 1, 1), (12, 1, 2)";
        stored.execute(AssertSqlSafe(table)).await.unwrap();
        let (sender, delivered) = mpsc::channel(AT_ONCE);
        for (number, message_id) in [(1, 11), (2, 99), (3, 13)] {
            let event = Event {
                seq: number,
                number,
                message_id,
                sender_id: 1,
                key: Key {
                    client: 0,
                    number: 1,
                },
            };
            sender.try_send((Room { server: 0, id: 1 }, event)).unwrap();
        }
        drop(sender);
        let testimony = watch(vec![Database::parse(&url).unwrap()], delivered).await;
        assert_eq!((testimony.seen, testimony.early.len()), (3, 2));
    }
}
