//! A client without a socket: it sends over REST, repeats what was not answered, and reads the
//! history, which must never lack what it was told is stored.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::key::Key;
use crate::log::Entry;
use crate::people::Answer;
use crate::world::Client;

pub(crate) struct Poster {
    pub(crate) client: Client,
}

impl Poster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends until the run ends; what it began it brings to its end.
    pub(crate) async fn chat(&mut self) {
        while self.client.is_running() {
            let key = self.client.new_key();
            let seq = self.send(key).await;
            if self.client.rng.u32(0..3) == 0 {
                self.read_back(seq).await;
            }
            let pause = self.client.jitter(self.client.habits.pause);
            sleep(pause).await;
        }
    }

    /// Sends one message until it is stored; its `seq`.
    async fn send(&mut self, key: Key) -> u64 {
        let path = format!("/api/chat/conversations/{}/messages/", self.client.room.id);
        let body = json!({"message": key.text(), "client_message_id": key.to_string()});
        loop {
            self.client.note(Entry::sent(key));
            let asked = self
                .client
                .attempt(Method::POST, &path, Some(&body), &[200, 201]);
            let wait = match asked.await {
                Ok(answer) => match self.stored(key, &answer) {
                    Some(seq) => return seq,
                    None => Duration::from_secs(1),
                },
                Err(wait) => wait,
            };
            sleep(wait).await;
        }
    }

    fn stored(&self, key: Key, answer: &Answer) -> Option<u64> {
        let body = &answer.body;
        let place = (|| {
            Some((
                body["id"].as_u64()?,
                body["seq"].as_u64()?,
                body["number"].as_u64()?,
            ))
        })();
        let Some((message_id, seq, number)) = place else {
            let trouble = format!("stored where? {body}");
            self.client.with_log(|log| log.trouble(trouble));
            return None;
        };
        self.client.note(Entry::Acknowledged {
            key,
            message_id,
            seq,
            number,
            // 200 is a repeat, and says so.
            duplicate: answer.status == 200,
        });
        if (answer.status == 200) != (body["duplicate"] == true) {
            self.client
                .with_log(|log| log.trouble(format!("{} with {body}", answer.status)));
        }
        Some(seq)
    }

    /// The newest page has the message, unless a hundred newer ones have pushed it out.
    async fn read_back(&mut self, seq: u64) {
        let path = format!("/api/chat/conversations/{}/messages/", self.client.room.id);
        let Ok(page) = self.client.get(&path).await else {
            return;
        };
        if let Err(trouble) = holds(&page, seq) {
            self.client
                .with_log(|log| log.trouble(format!("{trouble:#}")));
        }
    }
}

fn holds(page: &Value, seq: u64) -> Result<()> {
    let messages = page["messages"]
        .as_array()
        .context("a page without messages")?;
    let seqs: Vec<u64> = messages
        .iter()
        .filter_map(|one| one["seq"].as_u64())
        .collect();
    let first = seqs.first().copied().unwrap_or_default();
    if !seqs.contains(&seq) && first <= seq {
        let last = seqs.last().copied().unwrap_or_default();
        anyhow::bail!(
            "a history from {} with {first} to {last} lacks {seq}, which was acknowledged",
            page["source"]
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_lacks_what_was_acknowledged_is_told() {
        let page = |seqs: &[u64]| {
            let messages: Vec<Value> = seqs.iter().map(|seq| json!({"seq": seq})).collect();
            json!({"messages": messages, "source": "redis"})
        };
        assert!(holds(&page(&[4, 5, 6]), 5).is_ok());
        assert!(holds(&page(&[4, 5, 6]), 3).is_ok(), "pushed out");
        assert!(holds(&page(&[4, 5, 6]), 7).is_err());
        assert!(holds(&page(&[]), 1).is_err());
    }
}
