//! The cache behind Redis, asked by many at once: pipelines that come while others are under way
//! leave together as one request, and what several of them read is read once.
//!
//! A pipeline promises order and nothing else, so pipelines may stand one behind the other in
//! one. They share its failure: an error says nothing about which commands ran, for whomever.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply};

use crate::gather::{Gather, Limits, Work};

const LIMITS: Limits = Limits {
    under_way: 4,
    enough: 8,
    // A history of a hundred messages is some 20 KB; an answer has few of them.
    most: 32,
};

/// A [`Cache`] that gathers pipelines for another.
pub struct JointCache {
    kind: CacheKind,
    pipelines: Gather<Pipelines>,
}

struct Pipelines(Arc<dyn Cache>);

impl JointCache {
    /// Asks `cache`.
    pub fn new(cache: Arc<dyn Cache>) -> Self {
        Self {
            kind: cache.kind(),
            pipelines: Gather::new(Pipelines(cache), LIMITS),
        }
    }
}

#[async_trait]
impl Cache for JointCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let lost = || CacheError("a joint pipeline came to no end".to_owned());
        let answer = self.pipelines.ask(commands).await;
        answer.unwrap_or_else(|| Err(lost()))
    }

    fn kind(&self) -> CacheKind {
        self.kind
    }
}

impl Work for Pipelines {
    type Ask = Vec<CacheCommand>;
    type Answer = Result<Vec<CacheReply>, CacheError>;

    fn weight(commands: &Vec<CacheCommand>) -> usize {
        commands.len()
    }

    async fn run(&self, pipelines: Vec<Vec<CacheCommand>>) -> Vec<Self::Answer> {
        let (commands, places) = join(pipelines);
        match self.0.pipeline(commands).await {
            Ok(replies) => places
                .into_iter()
                .map(|places| own(&replies, &places))
                .collect(),
            Err(CacheError(reason)) => places
                .iter()
                .map(|_| Err(CacheError(reason.clone())))
                .collect(),
        }
    }
}

/// One pipeline of all, and where in it each finds its replies. What pipelines that only read
/// have in common stands in it once: they came at the same time, so either moment is as good.
fn join(pipelines: Vec<Vec<CacheCommand>>) -> (Vec<CacheCommand>, Vec<Vec<usize>>) {
    let mut commands: Vec<CacheCommand> = Vec::new();
    let mut reads = HashMap::new();
    let places = pipelines.into_iter().map(|pipeline| {
        let only_reads = pipeline
            .iter()
            .all(|command| matches!(command, CacheCommand::ZTop { .. }));
        let place = |command: CacheCommand| {
            let next = commands.len();
            let place = match &command {
                CacheCommand::ZTop { key, count } if only_reads => {
                    *reads.entry((key.clone(), *count)).or_insert(next)
                }
                _ => next,
            };
            if place == next {
                commands.push(command);
            }
            place
        };
        pipeline.into_iter().map(place).collect()
    });
    let places = places.collect();
    (commands, places)
}

fn own(replies: &[CacheReply], places: &[usize]) -> Result<Vec<CacheReply>, CacheError> {
    let own = places.iter().map(|place| replies.get(*place).cloned());
    let own: Option<Vec<_>> = own.collect();
    own.ok_or_else(|| CacheError("a joint pipeline was not answered in full".to_owned()))
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

    fn increment(key: &str) -> CacheCommand {
        CacheCommand::Incr {
            key: key.to_owned(),
        }
    }

    #[test]
    fn what_several_read_is_read_once_and_what_they_do_is_done_for_each() {
        let pipelines = vec![
            vec![highest("a")],
            vec![increment("n"), highest("b")],
            vec![highest("c"), highest("a")],
            vec![increment("n"), highest("a")],
        ];
        let (commands, places) = join(pipelines);
        let expected = [
            highest("a"),
            increment("n"),
            highest("b"),
            highest("c"),
            increment("n"),
            highest("a"),
        ];
        assert_eq!(commands, expected);
        assert_eq!(places, [vec![0], vec![1, 2], vec![3, 0], vec![4, 5]]);
        let replies = [1, 2, 3, 4, 5, 6].map(CacheReply::Integer);
        let third = own(&replies, &places[2]).unwrap();
        assert_eq!(third, [4, 1].map(CacheReply::Integer));
        assert!(own(&replies[..5], &places[3]).is_err());
    }
}
