//! A client without a socket: it sends over REST, repeats requests without a response, and checks
//! that the history has every acknowledged message.

use std::time::Duration;

use anyhow::{Context as _, Result};
use colloquy_client::{Method, Response};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client_log::LogEntry;
use crate::harness::Client;
use crate::message_key::MessageKey;

pub(crate) struct RestClient {
    pub(crate) client: Client,
}

impl RestClient {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends until the run ends, and finishes its last request.
    pub(crate) async fn run(&mut self) {
        while self.client.is_running() {
            let key = self.client.new_key();
            let seq = self.send(key).await;
            if self.client.rng.u32(0..3) == 0 {
                self.read_back(seq).await;
            }
            let pause = self.client.jitter(self.client.behaviour.pause);
            sleep(pause).await;
        }
    }

    /// Sends one message until it is stored; returns its `seq`.
    async fn send(&mut self, key: MessageKey) -> u64 {
        let path = format!(
            "/api/chat/conversations/{}/messages/",
            self.client.conversation.id
        );
        let body = json!({"message": key.text(), "client_message_id": key.to_string()});
        loop {
            self.client.record(LogEntry::sent(key));
            let request = self
                .client
                .attempt(Method::POST, &path, Some(&body), &[200, 201]);
            let wait = match request.await {
                Ok(response) => match self.stored(key, &response) {
                    Some(seq) => return seq,
                    None => Duration::from_secs(1),
                },
                Err(wait) => wait,
            };
            sleep(wait).await;
        }
    }

    fn stored(&self, key: MessageKey, response: &Response) -> Option<u64> {
        let body = &response.body;
        let position = (|| {
            Some((
                body["id"].as_u64()?,
                body["seq"].as_u64()?,
                body["number"].as_u64()?,
            ))
        })();
        let Some((message_id, seq, number)) = position else {
            let violation = format!("response without id, seq and number: {body}");
            self.client.with_log(|log| log.violation(violation));
            return None;
        };
        self.client.record(LogEntry::Acknowledged {
            key,
            message_id,
            seq,
            number,
            // 200 is a duplicate.
            duplicate: response.status == 200,
        });
        if (response.status == 200) != (body["duplicate"] == true) {
            self.client
                .with_log(|log| log.violation(format!("{} with {body}", response.status)));
        }
        Some(seq)
    }

    /// Checks that the newest page has the message, unless newer messages displaced it.
    async fn read_back(&mut self, seq: u64) {
        let path = format!(
            "/api/chat/conversations/{}/messages/",
            self.client.conversation.id
        );
        let Ok(page) = self.client.get(&path).await else {
            return;
        };
        if let Err(violation) = holds(&page, seq) {
            self.client
                .with_log(|log| log.violation(format!("{violation:#}")));
        }
    }
}

fn holds(page: &Value, seq: u64) -> Result<()> {
    let messages = page["messages"]
        .as_array()
        .context("history page without messages")?;
    let seqs: Vec<u64> = messages
        .iter()
        .filter_map(|message| message["seq"].as_u64())
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
    fn page_without_an_acknowledged_message_is_reported() {
        let page = |seqs: &[u64]| {
            let messages: Vec<Value> = seqs.iter().map(|seq| json!({"seq": seq})).collect();
            json!({"messages": messages, "source": "redis"})
        };
        assert!(holds(&page(&[4, 5, 6]), 5).is_ok());
        assert!(holds(&page(&[4, 5, 6]), 3).is_ok(), "displaced");
        assert!(holds(&page(&[4, 5, 6]), 7).is_err());
        assert!(holds(&page(&[]), 1).is_err());
    }
}
