//! Two honest members: one sends, the other measures how long each message took.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use colloquy_client::{Account, Frame, PING, Received, Rest, Socket, Version, send_command};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::accounts::RESPONSE_TIMEOUT;

/// The pause between two messages.
const SEND_INTERVAL: Duration = Duration::from_millis(50);

/// How long the last messages may take.
const LAST_MESSAGES: Duration = Duration::from_secs(10);

/// How many sends there are between two heartbeats.
const SENDS_PER_PING: u64 = 200;

/// The time from a send to its delivery, ascending.
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The time within which `percent` of the messages arrived.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

pub(super) struct HonestPair {
    sender: Socket,
    receiver: Socket,
    sent: u64,
}

impl HonestPair {
    pub(super) async fn connect(
        rest: &Rest,
        members: &[Arc<Account>],
        conversation_id: u64,
    ) -> Result<Self> {
        let [sender, receiver] = members else {
            bail!("{} honest members", members.len());
        };
        let open = async |account: &Account| {
            let token = account.access().await.token;
            let url = rest.base_url();
            Socket::open(url, conversation_id, &token, Version::V2, RESPONSE_TIMEOUT).await
        };
        Ok(Self {
            sender: open(sender).await?,
            receiver: open(receiver).await?,
            sent: 0,
        })
    }

    /// Sends for `time` and receives everything that was sent.
    ///
    /// # Errors
    /// A socket was closed, or a message did not arrive.
    pub(super) async fn chat(&mut self, time: Duration) -> Result<Latencies> {
        let end = Instant::now() + time;
        let mut pending: HashMap<String, Instant> = HashMap::new();
        let mut latencies = Vec::new();
        let mut ticks = interval(SEND_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end || !pending.is_empty() {
            tokio::select! {
                received = self.receiver.next() => {
                    for id in message_ids(received)? {
                        latencies.extend(pending.remove(&id).map(|sent| sent.elapsed()));
                    }
                }
                // The sender's own frames are read, and not used.
                received = self.sender.next() => drop(message_ids(received)?),
                _ = ticks.tick(), if Instant::now() < end => {
                    let id = format!("honest-{}", self.sent);
                    let command = send_command(&id, "Hello");
                    pending.insert(id, Instant::now());
                    self.send(command.to_string()).await?;
                }
                () = tokio::time::sleep_until((end + LAST_MESSAGES).into()) => {
                    bail!("{} honest messages did not arrive", pending.len());
                }
            }
        }
        latencies.sort();
        Ok(Latencies(latencies))
    }

    async fn send(&mut self, frame: String) -> Result<()> {
        self.sent += 1;
        let mut frames = vec![(true, frame)];
        if self.sent.is_multiple_of(SENDS_PER_PING) {
            frames.extend([(true, PING.to_owned()), (false, PING.to_owned())]);
        }
        for (by_sender, frame) in frames {
            let socket = if by_sender {
                &mut self.sender
            } else {
                &mut self.receiver
            };
            let sent = timeout(RESPONSE_TIMEOUT, socket.send(frame)).await;
            let sent = sent.context("an honest member's frame was not taken")?;
            if let Err(close) = sent {
                bail!(
                    "an honest member was closed: {} {}",
                    close.code,
                    close.reason
                );
            }
        }
        Ok(())
    }
}

/// The client ids of the messages in a frame.
fn message_ids(received: Received) -> Result<Vec<String>> {
    let text = match received {
        Received::Text(text) => text,
        Received::Closed(close) => {
            bail!(
                "an honest member was closed: {} {}",
                close.code,
                close.reason
            )
        }
    };
    let frame = Frame::parse(&text)?;
    if frame.kind() == "error" {
        bail!("an honest member's frame was rejected: {text}");
    }
    let own = (frame.kind() == "message").then_some(&frame);
    let messages = own.into_iter().chain(&frame.events);
    let ids = messages.filter_map(|message| message.client_message_id.as_deref());
    Ok(ids.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_the_nearest_rank() {
        let latencies = Latencies((1..=200).map(Duration::from_millis).collect());
        assert_eq!(latencies.percentile(50), Duration::from_millis(100));
        assert_eq!(latencies.percentile(99), Duration::from_millis(198));
        assert_eq!(Latencies(Vec::new()).percentile(99), Duration::ZERO);
    }
}
