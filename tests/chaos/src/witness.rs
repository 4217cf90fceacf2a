//! Looks into the database the moment something was delivered: nothing may be delivered before it
//! is stored. What comes while it still looks for [`AT_ONCE`] others is left out, since it would be
//! looked up late, when it may be stored after all.

use anyhow::Result;
use tokio::sync::mpsc::Receiver;

use crate::database::{Database, Lookup};
use crate::key::Text;
use crate::log::{Entry, Room};

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
    mut delivered: Receiver<(Room, Entry)>,
) -> Testimony {
    let mut lookups: Vec<Lookup> = databases.into_iter().map(Lookup::of).collect();
    let mut testimony = Testimony::default();
    while let Some((room, told)) = delivered.recv().await {
        let Some(lookup) = lookups.get_mut(room.server) else {
            continue;
        };
        // A database that is away answers nothing, not that there is nothing.
        let Ok(contradiction) = contradiction(lookup, room, told).await else {
            continue;
        };
        testimony.seen += 1;
        if let Some(stored) = contradiction {
            let sentence = format!("{room:?}: {told:?} was delivered, stored was {stored}");
            testimony.early.push(sentence);
        }
    }
    testimony
}

/// What is stored instead of what was told. Of a message there may be a later version meanwhile.
async fn contradiction(lookup: &mut Lookup, room: Room, told: Entry) -> Result<Option<String>> {
    Ok(match told {
        Entry::Heard(event) => {
            let found = lookup.message(room, event.number).await?;
            let is_so = found.as_ref().is_some_and(|(id, version, text)| {
                *id == event.message_id
                    && (*version > event.reading.version
                        || *version == event.reading.version
                            && Text::parse(text) == Ok(event.reading.text))
            });
            (!is_so).then(|| format!("{found:?}"))
        }
        Entry::Changed { change, reading } => {
            let found = lookup.change(room, change.seq).await?;
            let is_so = found.is_some_and(|(stored, version)| {
                stored == change && version >= reading.map(|reading| reading.version)
            });
            (!is_so).then(|| format!("{found:?}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
    use tokio::sync::mpsc;

    use super::*;
    use crate::key::Key;
    use crate::log::{Change, Event, Kind, Reading};

    #[tokio::test]
    async fn what_is_delivered_and_not_stored_so_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("messages").display());
        let mut stored = SqliteConnection::connect(&format!("{url}?mode=rwc"))
            .await
            .unwrap();
        let tables = format!(
            "create table messages (id, conversation_id, number, version, content);
            create table changes (conversation_id, seq, kind, message_id, user_id);
            insert into messages values
                (11, 1, 1, 1, '{}'), (12, 1, 2, 1, '{}'), (13, 1, 3, 2, '{}');
            insert into changes values (1, 4, 'edited', 13, 1), (1, 5, 'left', null, 9)",
            key(1).text(),
            key(2).text(),
            key(3).draft(1),
        );
        stored.execute(AssertSqlSafe(tables)).await.unwrap();
        let message = |number: u32, message_id, version, edit| {
            let key = key(number);
            let number = u64::from(number);
            Entry::Heard(Event {
                seq: number,
                number,
                message_id,
                sender_id: 1,
                key,
                reading: Reading {
                    version,
                    text: Text::Draft(key, edit),
                },
            })
        };
        let change = |seq, kind, message_id, user_id, version: Option<u64>| Entry::Changed {
            change: Change {
                seq,
                kind,
                message_id,
                user_id,
            },
            reading: version.map(|version| Reading {
                version,
                text: Text::Draft(key(3), 1),
            }),
        };
        let stored_so = [
            message(1, 11, 1, 0),
            message(3, 13, 1, 0),
            message(3, 13, 2, 1),
            change(4, Kind::Edited, Some(13), 1, Some(2)),
            change(5, Kind::Left, None, 9, None),
        ];
        let otherwise = [
            message(2, 99, 1, 0),
            message(4, 14, 1, 0),
            message(2, 12, 2, 1),
            message(3, 13, 2, 2),
            change(4, Kind::Edited, Some(13), 1, Some(3)),
            change(5, Kind::Joined, None, 9, None),
            change(6, Kind::Left, None, 9, None),
        ];
        for told in [&stored_so[..], &otherwise[..]] {
            let (sender, delivered) = mpsc::channel(AT_ONCE);
            for entry in told {
                sender
                    .try_send((Room { server: 0, id: 1 }, *entry))
                    .unwrap();
            }
            drop(sender);
            let testimony = watch(vec![Database::parse(&url).unwrap()], delivered).await;
            assert_eq!(testimony.seen, u64::try_from(told.len()).unwrap());
            let early = if told == stored_so { 0 } else { told.len() };
            assert_eq!(testimony.early.len(), early, "{:?}", testimony.early);
        }
    }

    fn key(number: u32) -> Key {
        Key { client: 0, number }
    }
}
