//! What a client does to its own messages: it edits them over REST, now and then deletes one, and
//! repeats what was not answered.
//!
//! The next edit of a message begins when the one before is acknowledged, so the edits of a message
//! have an order. A request without an answer may still arrive, and would undo a later one: after
//! such a one a message is edited no more.

use std::collections::{HashSet, VecDeque};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::key::{Key, Text};
use crate::log::{Entry, Manner};
use crate::world::Client;

/// Messages said for each that is edited.
const SAID: u32 = 8;

/// How many of its newest messages a client still edits.
const NEWEST: usize = 30;

/// One of the client's own messages.
#[derive(Clone, Copy, Debug)]
struct Own {
    key: Key,
    message_id: u64,
    edits: u32,
}

pub(crate) struct Editor {
    client: Client,
    /// How much of its log it has read.
    read: usize,
    seen: HashSet<Key>,
    own: VecDeque<Own>,
}

impl Editor {
    /// Of the messages of this client.
    pub(crate) fn of(client: &mut Client) -> Self {
        Self {
            client: client.beside(),
            read: 0,
            seen: HashSet::new(),
            own: VecDeque::new(),
        }
    }

    /// Edits until the run ends; what it began it brings to its end.
    pub(crate) async fn edit(&mut self) {
        while self.client.is_running() {
            let pause = self.client.jitter(self.client.habits.pause * SAID);
            self.client.rest(pause).await;
            self.look();
            if self.own.is_empty() || !self.client.is_running() {
                continue;
            }
            let any = self.client.rng.usize(..self.own.len());
            if let Some(own) = self.own.remove(any) {
                self.rewrite(own).await;
            }
        }
    }

    /// Looks for what was acknowledged meanwhile. To a v1 client that is its own message coming back.
    fn look(&mut self) {
        let (index, v1) = (self.client.index, self.client.manner == Manner::V1);
        let (entries, read) = self.client.with_log(|log| {
            let new = log.entries.iter().skip(self.read);
            let own = new.filter_map(|entry| match *entry {
                Entry::Acknowledged {
                    key, message_id, ..
                } => Some((key, message_id)),
                Entry::Heard(event) if v1 && event.key.client == index => {
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
                self.own.push_back(Own {
                    key,
                    message_id,
                    edits,
                });
            }
        }
        let surplus = self.own.len().saturating_sub(NEWEST);
        self.own.drain(..surplus);
    }

    /// Gives it its next text, or none, until that is acknowledged.
    async fn rewrite(&mut self, mut own: Own) {
        // Of a v1 message without a text nobody could tell which it was.
        let deletes = self.client.manner != Manner::V1 && self.client.rng.u32(0..8) == 0;
        let text = if deletes {
            Text::Gone
        } else {
            own.edits += 1;
            Text::Draft(own.key, own.edits)
        };
        let at_once = self.insist(own, text).await;
        if !deletes && self.client.rng.u32(0..4) == 0 {
            self.read_back(own).await;
        }
        if !deletes && at_once {
            self.own.push_back(own);
        }
    }

    /// Asks until it is acknowledged; whether the first attempt was.
    async fn insist(&mut self, own: Own, text: Text) -> bool {
        let Own {
            key, message_id, ..
        } = own;
        let room = self.client.room.id;
        let path = format!("/api/chat/conversations/{room}/messages/{message_id}/");
        let (method, good, body) = match text {
            Text::Draft(key, edit) => {
                let body = json!({"message": key.draft(edit)});
                (Method::PATCH, 200, Some(body))
            }
            Text::Gone => (Method::DELETE, 204, None),
        };
        let (mut at_once, good) = (true, [good]);
        loop {
            self.client.note(Entry::Rewriting { key, text });
            let asked = self
                .client
                .attempt(method.clone(), &path, body.as_ref(), &good);
            match asked.await {
                Ok(answer) => {
                    let seq = answer.body["seq"].as_u64();
                    self.client.note(Entry::Rewritten {
                        key,
                        message_id,
                        text,
                        seq,
                    });
                    return at_once;
                }
                Err(wait) => {
                    at_once = false;
                    sleep(wait).await;
                }
            }
        }
    }

    /// The newest page tells the edit, unless newer messages have pushed its message out.
    async fn read_back(&mut self, own: Own) {
        let path = format!("/api/chat/conversations/{}/messages/", self.client.room.id);
        let Ok(page) = self.client.get(&path).await else {
            return;
        };
        if let Some(trouble) = outdated(&page, own) {
            self.client.with_log(|log| log.trouble(trouble));
        }
    }
}

fn outdated(page: &Value, own: Own) -> Option<String> {
    let messages = page["messages"].as_array()?;
    let told = messages
        .iter()
        .find(|message| message["id"] == own.message_id)?;
    let version = told["version"].as_u64().unwrap_or_default();
    (version <= u64::from(own.edits)).then(|| {
        let source = &page["source"];
        format!("a history from {source} tells version {version} of {own:?}, edited since")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_tells_an_older_version_than_was_acknowledged_is_told() {
        let key = Key {
            client: 1,
            number: 1,
        };
        let own = Own {
            key,
            message_id: 7,
            edits: 2,
        };
        let page = |version: u64| json!({"messages": [{"id": 7, "version": version}]});
        assert!(outdated(&page(2), own).is_some());
        assert!(outdated(&page(3), own).is_none());
        assert!(
            outdated(&json!({"messages": []}), own).is_none(),
            "pushed out"
        );
    }
}
