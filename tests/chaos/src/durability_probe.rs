//! Checks that nothing is delivered before it is stored: reads sampled deliveries back from the
//! database at once. Deliveries beyond [`QUEUE_LEN`] waiting ones are skipped, because a late read
//! may find what was not stored at delivery.

use anyhow::Result;
use tokio::sync::mpsc::Receiver;

use crate::client_log::{ConversationKey, LogEntry};
use crate::database::{Database, Lookup};
use crate::message_key::MessageText;

/// Deliveries that may wait to be read back.
pub(crate) const QUEUE_LEN: usize = 8;

/// The result of the probe.
#[derive(Debug, Default)]
pub(crate) struct ProbeResult {
    /// How many deliveries were read back.
    pub(crate) probed: u64,
    /// Deliveries that were not stored yet.
    pub(crate) early: Vec<String>,
}

/// Reads deliveries back until all senders are dropped.
pub(crate) async fn run(
    databases: Vec<Database>,
    mut delivered: Receiver<(ConversationKey, LogEntry)>,
) -> ProbeResult {
    let mut lookups: Vec<Lookup> = databases.into_iter().map(Lookup::of).collect();
    let mut probe_result = ProbeResult::default();
    while let Some((conversation, entry)) = delivered.recv().await {
        let Some(lookup) = lookups.get_mut(conversation.server) else {
            continue;
        };
        // While the database is unavailable the probe learns nothing.
        let Ok(contradiction) = contradiction(lookup, conversation, entry).await else {
            continue;
        };
        probe_result.probed += 1;
        if let Some(stored) = contradiction {
            let sentence =
                format!("{conversation:?}: {entry:?} was delivered, stored was {stored}");
            probe_result.early.push(sentence);
        }
    }
    probe_result
}

/// What is stored instead of the delivered event. A later version of a message is no contradiction.
async fn contradiction(
    lookup: &mut Lookup,
    conversation: ConversationKey,
    entry: LogEntry,
) -> Result<Option<String>> {
    Ok(match entry {
        LogEntry::MessageReceived(event) => {
            let found = lookup.message(conversation, event.number).await?;
            let is_stored = found.as_ref().is_some_and(|(id, version, text)| {
                *id == event.message_id
                    && (*version > event.content.version
                        || *version == event.content.version
                            && MessageText::parse(text) == Ok(event.content.text))
            });
            (!is_stored).then(|| format!("{found:?}"))
        }
        LogEntry::ChangeReceived { change, content } => {
            let found = lookup.change(conversation, change.seq).await?;
            let is_stored = found.is_some_and(|(stored, version)| {
                stored == change && version >= content.map(|content| content.version)
            });
            (!is_stored).then(|| format!("{found:?}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
    use tokio::sync::mpsc;

    use super::*;
    use crate::client_log::{ChangeEvent, ChangeKind, MessageContent, MessageEvent};
    use crate::message_key::MessageKey;

    #[tokio::test]
    async fn delivery_that_is_not_stored_is_reported() {
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
            key(3).revision_text(1),
        );
        stored.execute(AssertSqlSafe(tables)).await.unwrap();
        let message = |number: u32, message_id, version, edit| {
            let key = key(number);
            let number = u64::from(number);
            LogEntry::MessageReceived(MessageEvent {
                seq: number,
                number,
                message_id,
                sender_id: 1,
                key,
                content: MessageContent {
                    version,
                    text: MessageText::Revision(key, edit),
                },
            })
        };
        let change =
            |seq, kind, message_id, user_id, version: Option<u64>| LogEntry::ChangeReceived {
                change: ChangeEvent {
                    seq,
                    kind,
                    message_id,
                    user_id,
                },
                content: version.map(|version| MessageContent {
                    version,
                    text: MessageText::Revision(key(3), 1),
                }),
            };
        let as_stored = [
            message(1, 11, 1, 0),
            message(3, 13, 1, 0),
            message(3, 13, 2, 1),
            change(4, ChangeKind::Edited, Some(13), 1, Some(2)),
            change(5, ChangeKind::Left, None, 9, None),
        ];
        let otherwise = [
            message(2, 99, 1, 0),
            message(4, 14, 1, 0),
            message(2, 12, 2, 1),
            message(3, 13, 2, 2),
            change(4, ChangeKind::Edited, Some(13), 1, Some(3)),
            change(5, ChangeKind::Joined, None, 9, None),
            change(6, ChangeKind::Left, None, 9, None),
        ];
        for deliveries in [&as_stored[..], &otherwise[..]] {
            let (sender, delivered) = mpsc::channel(QUEUE_LEN);
            for entry in deliveries {
                sender
                    .try_send((ConversationKey { server: 0, id: 1 }, *entry))
                    .unwrap();
            }
            drop(sender);
            let probe_result = run(vec![Database::parse(&url).unwrap()], delivered).await;
            assert_eq!(
                probe_result.probed,
                u64::try_from(deliveries.len()).unwrap()
            );
            let early = if deliveries == as_stored {
                0
            } else {
                deliveries.len()
            };
            assert_eq!(probe_result.early.len(), early, "{:?}", probe_result.early);
        }
    }

    fn key(number: u32) -> MessageKey {
        MessageKey { client: 0, number }
    }
}
