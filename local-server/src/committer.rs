//! Joins the commits of all Rooms: while transactions are under way, the batches of other Rooms
//! gather and go out together as the next one. A Room waits for its own batch alone.
//!
//! Several transactions are under way at once; a database with one writer gets one.

use std::sync::Arc;

use colloquy_core::ports::{Store, StoreError};
use colloquy_proto::domain::{BatchOutcome, NewMessage};
use colloquy_proto::room::StoreFailed;

use crate::gather::{Gather, Limits, Work};

/// Sends that are worth a transaction beside another. Fewer would pay for one as much as many do,
/// and the one under way is soon done.
const ENOUGH_SENDS: usize = 32;

/// Sends of one transaction, about; a Room's batch is never split.
const MAX_SENDS: usize = 512;

type Answer = Result<BatchOutcome, StoreFailed>;

/// The way from Rooms to the store.
#[derive(Clone)]
pub struct Committer(Gather<Commits>);

struct Commits(Arc<dyn Store>);

impl Committer {
    /// With at most so many transactions under way.
    pub fn new(store: Arc<dyn Store>, writers: usize) -> Self {
        let limits = Limits {
            under_way: writers.max(1),
            enough: ENOUGH_SENDS,
            most: MAX_SENDS,
        };
        Self(Gather::new(Commits(store), limits))
    }

    /// Stores a Room's batch.
    ///
    /// # Errors
    /// [`StoreFailed`] when it is not known to be stored.
    pub async fn commit(&self, sends: Vec<NewMessage>) -> Answer {
        self.0.ask(sends).await.unwrap_or(Err(StoreFailed))
    }
}

impl Work for Commits {
    type Ask = Vec<NewMessage>;
    type Answer = Answer;

    fn weight(sends: &Vec<NewMessage>) -> usize {
        sends.len()
    }

    async fn run(&self, mut batches: Vec<Vec<NewMessage>>) -> Vec<Answer> {
        let lengths: Vec<usize> = batches.iter().map(Vec::len).collect();
        let all: Vec<NewMessage> = batches.iter_mut().flat_map(|b| b.drain(..)).collect();
        match self.0.append(&all).await {
            Ok(BatchOutcome { epoch, outcomes }) => {
                let mut outcomes = outcomes.into_iter();
                let own = lengths.into_iter().map(|length| {
                    Ok(BatchOutcome {
                        epoch: epoch.clone(),
                        outcomes: outcomes.by_ref().take(length).collect(),
                    })
                });
                own.collect()
            }
            Err(StoreError::Unexpected(reason)) if lengths.len() > 1 => {
                tracing::error!(
                    error = reason,
                    "a joint commit failed; committing room by room"
                );
                let mut answers = Vec::with_capacity(lengths.len());
                let mut rest = &all[..];
                for length in lengths {
                    let (own, others) = rest.split_at(length);
                    answers.push(self.0.append(own).await.map_err(|error| failed(&error)));
                    rest = others;
                }
                answers
            }
            Err(error) => {
                vec![Err(failed(&error)); lengths.len()]
            }
        }
    }
}

/// The place where a failed commit is logged: the Room knows no more than that it failed.
fn failed(error: &StoreError) -> StoreFailed {
    error.log("a commit failed");
    StoreFailed
}
