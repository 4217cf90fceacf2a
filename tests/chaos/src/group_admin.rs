//! The creator of a group: removes members and adds them again, and repeats requests without a
//! response.
//!
//! A removal without a response may still take effect after the member was added again. So such a
//! member is added once more from time to time, until all clients have caught up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use colloquy_client::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::client_log::LogEntry;
use crate::harness::{Client, Phase};

/// The average pause between two removals.
const PAUSE: Duration = Duration::from_secs(4);

/// How often members that may have been removed late are added again.
const REPAIR_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) struct GroupAdmin {
    client: Client,
    /// The other members.
    others: Vec<u64>,
    /// Members whose removal may still take effect.
    maybe_removed: BTreeSet<u64>,
}

impl GroupAdmin {
    pub(crate) fn new(client: Client, others: Vec<u64>) -> Self {
        Self {
            client,
            others,
            maybe_removed: BTreeSet::new(),
        }
    }

    /// Removes and adds members until the run ends, and then keeps every user a member until all
    /// clients have caught up.
    pub(crate) async fn run(mut self) {
        while self.client.is_running() {
            let pause = self.client.jitter(PAUSE);
            self.client.rest(pause).await;
            if let Some(user_id) = self.client.rng.choice(&self.others).copied()
                && self.client.is_running()
            {
                self.remove(user_id).await;
                let pause = Duration::from_millis(self.client.rng.u64(0..2_000));
                sleep(pause).await;
                self.add(user_id).await;
            }
            self.repair().await;
        }
        while *self.client.phase.borrow() != Phase::Over {
            self.repair().await;
            let over = self.client.phase.wait_for(|phase| *phase == Phase::Over);
            // The wait may end early or in full.
            let _ = timeout(REPAIR_INTERVAL, over).await;
        }
    }

    async fn repair(&mut self) {
        for user_id in self.maybe_removed.clone() {
            self.add(user_id).await;
        }
    }

    async fn remove(&mut self, user_id: u64) {
        let path = format!("{}{user_id}/", self.path());
        loop {
            let request = self.client.attempt(Method::DELETE, &path, None, &[204]);
            match request.await {
                Ok(_) => {
                    return self
                        .client
                        .record(LogEntry::RemovalAcknowledged { user_id });
                }
                Err(wait) => {
                    self.maybe_removed.insert(user_id);
                    sleep(wait).await;
                }
            }
        }
    }

    async fn add(&mut self, user_id: u64) {
        let (path, body) = (self.path(), json!({"user_id": user_id}));
        loop {
            let sent = Instant::now();
            let request = self
                .client
                .attempt(Method::POST, &path, Some(&body), &[200, 201]);
            let response = request.await;
            // 200 means that the user was already a member.
            if !matches!(&response, Ok(response) if response.status == 200) {
                self.client.record(LogEntry::AddSent { user_id, sent });
            }
            match response {
                Ok(_) => return,
                Err(wait) => sleep(wait).await,
            }
        }
    }

    fn path(&self) -> String {
        format!(
            "/api/chat/conversations/{}/members/",
            self.client.conversation.id
        )
    }
}
