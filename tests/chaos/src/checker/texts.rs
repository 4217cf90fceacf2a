//! Which texts a message may have in which version, by what its sender's log says was sent and
//! acknowledged.
//!
//! Edits are numbered and start after the previous one is acknowledged, so each creates one version;
//! a deletion is the last.

use std::collections::HashMap;

use crate::client_log::{Log, LogEntry, MessageContent};
use crate::message_key::{MessageKey, MessageText};

/// The changes of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Revisions {
    /// The last edit that was sent.
    sent: u32,
    /// The last edit that was acknowledged.
    acknowledged: u32,
    /// Its deletion was sent.
    deletion_sent: bool,
    /// Its deletion was acknowledged.
    deletion_acknowledged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<MessageKey, Revisions>);

impl Texts {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut texts = Self::default();
        for entry in logs.iter().flat_map(|log| &log.entries) {
            match *entry {
                LogEntry::ChangeSent { key, text } => {
                    let revisions = texts.0.entry(key).or_default();
                    match text {
                        MessageText::Revision(_, edit) => revisions.sent = revisions.sent.max(edit),
                        MessageText::Deleted => revisions.deletion_sent = true,
                    }
                }
                LogEntry::ChangeAcknowledged { key, text, .. } => {
                    let revisions = texts.0.entry(key).or_default();
                    match text {
                        MessageText::Revision(_, edit) => {
                            revisions.acknowledged = revisions.acknowledged.max(edit);
                        }
                        MessageText::Deleted => revisions.deletion_acknowledged = true,
                    }
                }
                _ => {}
            }
        }
        texts
    }

    fn revisions(&self, key: MessageKey) -> Revisions {
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// Whether this content was sent, and as this version.
    pub(super) fn allows(&self, key: MessageKey, content: MessageContent) -> bool {
        let revisions = self.revisions(key);
        match content.text {
            MessageText::Revision(of, edit) => {
                of == key && edit <= revisions.sent && content.version == u64::from(edit) + 1
            }
            MessageText::Deleted => {
                revisions.deletion_sent && content.version == u64::from(revisions.sent) + 2
            }
        }
    }

    /// Whether the text is that of the last acknowledged change or of one sent after it.
    pub(super) fn is_current(&self, key: MessageKey, text: MessageText) -> bool {
        let revisions = self.revisions(key);
        match text {
            MessageText::Revision(_, edit) => {
                !revisions.deletion_acknowledged && edit >= revisions.acknowledged
            }
            MessageText::Deleted => true,
        }
    }
}
