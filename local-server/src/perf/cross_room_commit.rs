//! Cross-room group commit: batches of several rooms that arrive while transactions are in flight
//! become one transaction. Each room waits for its own batch only.
//!
//! Saves transactions and disk flushes: fifty busy rooms would otherwise have fifty transactions in
//! flight (docs/decisions/0004-batched-commits.md). Several transactions run in parallel; a
//! database with one writer gets one. Correctness does not depend on it: a room may call
//! `Store::append` directly.

use std::sync::Arc;

use colloquy_core::ports::{Store, StoreError};
use colloquy_proto::domain::{BatchOutcome, NewMessage};
use colloquy_proto::room::StoreFailed;

use super::coalesce::{BatchRunner, Coalescer, Limits};

/// Sends that justify a transaction in parallel to another. Fewer would cost as much as many, and
/// the one in flight finishes soon.
const EXTRA_TRANSACTION_AT: usize = 32;

/// Approximate limit of sends per transaction; a room's batch is never split.
const MAX_SENDS: usize = 512;

type CommitResult = Result<BatchOutcome, StoreFailed>;

/// Commits the batches of all rooms. Clones share the queue.
#[derive(Clone)]
pub struct CommitCoalescer(Coalescer<StoreRunner>);

struct StoreRunner(Arc<dyn Store>);

impl CommitCoalescer {
    /// With at most `writers` transactions in flight.
    pub fn new(store: Arc<dyn Store>, writers: usize) -> Self {
        let limits = Limits {
            max_in_flight: writers.max(1),
            start_extra_at: EXTRA_TRANSACTION_AT,
            max_batch: MAX_SENDS,
        };
        Self(Coalescer::new(StoreRunner(store), limits))
    }

    /// Stores a room's batch.
    ///
    /// # Errors
    /// [`StoreFailed`] if the batch is not known to be stored.
    pub async fn commit(&self, sends: Vec<NewMessage>) -> CommitResult {
        self.0.call(sends).await.unwrap_or(Err(StoreFailed))
    }
}

impl BatchRunner for StoreRunner {
    type Request = Vec<NewMessage>;
    type Response = CommitResult;

    fn weight(sends: &Vec<NewMessage>) -> usize {
        sends.len()
    }

    async fn run(&self, mut batches: Vec<Vec<NewMessage>>) -> Vec<CommitResult> {
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
                    "cross-room commit failed, committing room by room"
                );
                self.commit_each(&all, &lengths).await
            }
            Err(error) => {
                vec![Err(failed(&error)); lengths.len()]
            }
        }
    }
}

impl StoreRunner {
    /// Commits each room's batch alone, so that a rejected batch cannot fail the others.
    async fn commit_each(&self, all: &[NewMessage], lengths: &[usize]) -> Vec<CommitResult> {
        let mut results = Vec::with_capacity(lengths.len());
        let mut rest = all;
        for length in lengths {
            let (own, others) = rest.split_at(*length);
            results.push(self.0.append(own).await.map_err(|error| failed(&error)));
            rest = others;
        }
        results
    }
}

/// Logs a failed commit. The room receives the failure without its reason.
fn failed(error: &StoreError) -> StoreFailed {
    error.log("commit failed");
    StoreFailed
}
