//! Edits a client's own messages over REST, deletes some, and repeats requests without a response.
//!
//! An edit starts only after the previous one of the same message is acknowledged, so the edits of a
//! message are ordered. A request without a response may still take effect later and undo a newer
//! edit, so the message is not edited again after one.

use std::collections::{HashSet, VecDeque};

use colloquy_client::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client_log::{ClientKind, LogEntry};
use crate::harness::Client;
use crate::message_key::{MessageKey, MessageText};

/// Messages sent for each one that is edited.
const SENDS_PER_EDIT: u32 = 8;

/// How many of its newest messages a client edits.
const EDITABLE: usize = 30;

/// One of the client's own messages.
#[derive(Clone, Copy, Debug)]
struct OwnMessage {
    key: MessageKey,
    message_id: u64,
    edits: u32,
}

pub(crate) struct Editor {
    client: Client,
    /// How many entries of its log it has read.
    read: usize,
    seen: HashSet<MessageKey>,
    own: VecDeque<OwnMessage>,
}

impl Editor {
    /// The editor of this client's messages.
    pub(crate) fn of(client: &mut Client) -> Self {
        Self {
            client: client.fork(),
            read: 0,
            seen: HashSet::new(),
            own: VecDeque::new(),
        }
    }

    /// Edits until the run ends, and finishes its last request.
    pub(crate) async fn run(&mut self) {
        while self.client.is_running() {
            let pause = self
                .client
                .jitter(self.client.behaviour.pause * SENDS_PER_EDIT);
            self.client.rest(pause).await;
            self.collect_acknowledged();
            if self.own.is_empty() || !self.client.is_running() {
                continue;
            }
            let any = self.client.rng.usize(..self.own.len());
            if let Some(own) = self.own.remove(any) {
                self.change(own).await;
            }
        }
    }

    /// Collects newly acknowledged messages. For a v1 client the echo is the acknowledgement.
    fn collect_acknowledged(&mut self) {
        let (index, v1) = (self.client.index, self.client.kind == ClientKind::V1);
        let (entries, read) = self.client.with_log(|log| {
            let new = log.entries.iter().skip(self.read);
            let own = new.filter_map(|entry| match *entry {
                LogEntry::Acknowledged {
                    key, message_id, ..
                } => Some((key, message_id)),
                LogEntry::MessageReceived(event) if v1 && event.key.client == index => {
                    Some((event.key, event.message_id))
                }
                _ => None,
            });
            (own.collect::<Vec<_>>(), log.entries.len())
        });
        self.read = read;
        for (key, message_id) in entries {
            if self.seen.insert(key) {
                let edits = 0;
                self.own.push_back(OwnMessage {
                    key,
                    message_id,
                    edits,
                });
            }
        }
        let surplus = self.own.len().saturating_sub(EDITABLE);
        self.own.drain(..surplus);
    }

    /// Edits or deletes a message until that is acknowledged.
    async fn change(&mut self, mut own: OwnMessage) {
        // A deleted v1 message could not be identified: it has neither an id nor a text.
        let deletes = self.client.kind != ClientKind::V1 && self.client.rng.u32(0..8) == 0;
        let text = if deletes {
            MessageText::Deleted
        } else {
            own.edits += 1;
            MessageText::Revision(own.key, own.edits)
        };
        let first_try = self.request_until(own, text).await;
        if !deletes && self.client.rng.u32(0..4) == 0 {
            self.read_back(own).await;
        }
        if !deletes && first_try {
            self.own.push_back(own);
        }
    }

    /// Repeats the request until it is acknowledged; returns whether the first attempt succeeded.
    async fn request_until(&mut self, own: OwnMessage, text: MessageText) -> bool {
        let OwnMessage {
            key, message_id, ..
        } = own;
        let conversation = self.client.conversation.id;
        let path = format!("/api/chat/conversations/{conversation}/messages/{message_id}/");
        let (method, good, body) = match text {
            MessageText::Revision(key, edit) => {
                let body = json!({"message": key.revision_text(edit)});
                (Method::PATCH, 200, Some(body))
            }
            MessageText::Deleted => (Method::DELETE, 204, None),
        };
        let (mut first_try, good) = (true, [good]);
        loop {
            self.client.record(LogEntry::ChangeSent { key, text });
            let request = self
                .client
                .attempt(method.clone(), &path, body.as_ref(), &good);
            match request.await {
                Ok(response) => {
                    let seq = response.body["seq"].as_u64();
                    self.client.record(LogEntry::ChangeAcknowledged {
                        key,
                        message_id,
                        text,
                        seq,
                    });
                    return first_try;
                }
                Err(wait) => {
                    first_try = false;
                    sleep(wait).await;
                }
            }
        }
    }

    /// Checks that the newest page has the edit, unless newer messages displaced its message.
    async fn read_back(&mut self, own: OwnMessage) {
        let path = format!(
            "/api/chat/conversations/{}/messages/",
            self.client.conversation.id
        );
        let Ok(page) = self.client.get(&path).await else {
            return;
        };
        if let Some(violation) = outdated(&page, own) {
            self.client.with_log(|log| log.violation(violation));
        }
    }
}

fn outdated(page: &Value, own: OwnMessage) -> Option<String> {
    let messages = page["messages"].as_array()?;
    let message = messages
        .iter()
        .find(|message| message["id"] == own.message_id)?;
    let version = message["version"].as_u64().unwrap_or_default();
    (version <= u64::from(own.edits)).then(|| {
        let source = &page["source"];
        format!("a history from {source} has version {version} of {own:?}, which was edited since")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_with_a_version_older_than_acknowledged_is_reported() {
        let key = MessageKey {
            client: 1,
            number: 1,
        };
        let own = OwnMessage {
            key,
            message_id: 7,
            edits: 2,
        };
        let page = |version: u64| json!({"messages": [{"id": 7, "version": version}]});
        assert!(outdated(&page(2), own).is_some());
        assert!(outdated(&page(3), own).is_none());
        assert!(
            outdated(&json!({"messages": []}), own).is_none(),
            "displaced"
        );
    }
}
