//! Who made a group: removes members and adds them again, and repeats what was not answered.
//!
//! A removal without an answer may still arrive after its member was added again. So it adds such a
//! member once more from time to time, until everyone has everything.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::log::Entry;
use crate::world::{Client, Phase};

/// Between two removals, on average.
const PAUSE: Duration = Duration::from_secs(4);

/// How often it looks after those who may have been removed late.
const CARE: Duration = Duration::from_millis(500);

pub(crate) struct Maker {
    client: Client,
    /// The other members.
    others: Vec<u64>,
    /// Those whose removal may still arrive.
    doubtful: BTreeSet<u64>,
}

impl Maker {
    pub(crate) fn new(client: Client, others: Vec<u64>) -> Self {
        Self {
            client,
            others,
            doubtful: BTreeSet::new(),
        }
    }

    /// Removes and adds until the run ends, and sees to it that everyone is a member until it is
    /// over.
    pub(crate) async fn keep(mut self) {
        while self.client.is_running() {
            let pause = self.client.jitter(PAUSE);
            self.client.rest(pause).await;
            if let Some(user_id) = self.client.rng.choice(&self.others).copied()
                && self.client.is_running()
            {
                self.remove(user_id).await;
                let away = Duration::from_millis(self.client.rng.u64(0..2_000));
                sleep(away).await;
                self.add(user_id).await;
            }
            self.care().await;
        }
        while *self.client.phase.borrow() != Phase::Over {
            self.care().await;
            let over = self.client.phase.wait_for(|phase| *phase == Phase::Over);
            // Either is as good as the other.
            let _ = timeout(CARE, over).await;
        }
    }

    async fn care(&mut self) {
        for user_id in self.doubtful.clone() {
            self.add(user_id).await;
        }
    }

    async fn remove(&mut self, user_id: u64) {
        let path = format!("{}{user_id}/", self.path());
        loop {
            let asked = self.client.attempt(Method::DELETE, &path, None, &[204]);
            match asked.await {
                Ok(_) => return self.client.note(Entry::Removed { user_id }),
                Err(wait) => {
                    self.doubtful.insert(user_id);
                    sleep(wait).await;
                }
            }
        }
    }

    async fn add(&mut self, user_id: u64) {
        let (path, body) = (self.path(), json!({"user_id": user_id}));
        loop {
            let sent = Instant::now();
            let asked = self
                .client
                .attempt(Method::POST, &path, Some(&body), &[200, 201]);
            let answer = asked.await;
            // 200 says that it did nothing.
            if !matches!(&answer, Ok(answer) if answer.status == 200) {
                self.client.note(Entry::Admitting { user_id, sent });
            }
            match answer {
                Ok(_) => return,
                Err(wait) => sleep(wait).await,
            }
        }
    }

    fn path(&self) -> String {
        format!("/api/chat/conversations/{}/members/", self.client.room.id)
    }
}
