//! Coalesced Redis pipelines: pipelines that arrive while others are in flight are sent as one
//! request, and a read that several of them contain is sent once.
//!
//! Saves HTTP requests to Redis (docs/decisions/0008-coalesced-lookups-and-pipelines.md).
//! Correctness does not depend on it: a pipeline promises order and nothing else, so pipelines may
//! follow each other in one. They share its failure, which does not say which commands ran.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply};

use super::coalesce::{BatchRunner, Coalescer, Limits};

const LIMITS: Limits = Limits {
    max_in_flight: 4,
    start_extra_at: 8,
    // A history of a hundred messages is about 20 KB; this bounds the response of one request.
    max_batch: 32,
};

/// A [`Cache`] that coalesces the pipelines for another.
pub struct CoalescingCache {
    kind: CacheKind,
    pipelines: Coalescer<PipelineRunner>,
}

struct PipelineRunner(Arc<dyn Cache>);

impl CoalescingCache {
    /// Sends to `cache`.
    pub fn new(cache: Arc<dyn Cache>) -> Self {
        Self {
            kind: cache.kind(),
            pipelines: Coalescer::new(PipelineRunner(cache), LIMITS),
        }
    }
}

#[async_trait]
impl Cache for CoalescingCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let lost = || CacheError("the coalesced pipeline did not complete".to_owned());
        let replies = self.pipelines.call(commands).await;
        replies.unwrap_or_else(|| Err(lost()))
    }

    fn kind(&self) -> CacheKind {
        self.kind
    }
}

impl BatchRunner for PipelineRunner {
    type Request = Vec<CacheCommand>;
    type Response = Result<Vec<CacheReply>, CacheError>;

    fn weight(commands: &Vec<CacheCommand>) -> usize {
        commands.len()
    }

    async fn run(&self, pipelines: Vec<Vec<CacheCommand>>) -> Vec<Self::Response> {
        let (commands, indices) = concatenate(pipelines);
        match self.0.pipeline(commands).await {
            Ok(replies) => indices
                .into_iter()
                .map(|indices| select(&replies, &indices))
                .collect(),
            Err(CacheError(reason)) => indices
                .iter()
                .map(|_| Err(CacheError(reason.clone())))
                .collect(),
        }
    }
}

/// Concatenates pipelines and returns, for each, the indices of its replies. Equal reads of
/// read-only pipelines are sent once: the pipelines are concurrent, so one read serves both.
fn concatenate(pipelines: Vec<Vec<CacheCommand>>) -> (Vec<CacheCommand>, Vec<Vec<usize>>) {
    let mut commands: Vec<CacheCommand> = Vec::new();
    let mut reads = HashMap::new();
    let indices = pipelines.into_iter().map(|pipeline| {
        let only_reads = pipeline
            .iter()
            .all(|command| matches!(command, CacheCommand::ZTop { .. }));
        let mut index_of = |command: CacheCommand| {
            let next = commands.len();
            let index = match &command {
                CacheCommand::ZTop { key, count } if only_reads => {
                    *reads.entry((key.clone(), *count)).or_insert(next)
                }
                _ => next,
            };
            if index == next {
                commands.push(command);
            }
            index
        };
        pipeline.into_iter().map(&mut index_of).collect()
    });
    let indices = indices.collect();
    (commands, indices)
}

fn select(replies: &[CacheReply], indices: &[usize]) -> Result<Vec<CacheReply>, CacheError> {
    let own = indices.iter().map(|index| replies.get(*index).cloned());
    let own: Option<Vec<_>> = own.collect();
    own.ok_or_else(|| CacheError("the coalesced pipeline has too few replies".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn highest(key: &str) -> CacheCommand {
        CacheCommand::ZTop {
            key: key.to_owned(),
            count: 2,
        }
    }

    fn delete(key: &str) -> CacheCommand {
        CacheCommand::Del {
            key: key.to_owned(),
        }
    }

    #[test]
    fn equal_reads_are_sent_once_and_writes_once_per_pipeline() {
        let pipelines = vec![
            vec![highest("a")],
            vec![delete("n"), highest("b")],
            vec![highest("c"), highest("a")],
            vec![delete("n"), highest("a")],
        ];
        let (commands, indices) = concatenate(pipelines);
        let expected = [
            highest("a"),
            delete("n"),
            highest("b"),
            highest("c"),
            delete("n"),
            highest("a"),
        ];
        assert_eq!(commands, expected);
        assert_eq!(indices, [vec![0], vec![1, 2], vec![3, 0], vec![4, 5]]);
        let reply = |number: i32| CacheReply::Members(vec![number.to_string().into()]);
        let replies = [1, 2, 3, 4, 5, 6].map(reply);
        let third = select(&replies, &indices[2]).unwrap();
        assert_eq!(third, [4, 1].map(reply));
        assert!(select(&replies[..5], &indices[3]).is_err());
    }
}
