//! Coalesced lookups: the same small read for several callers in one round trip to PostgreSQL.
//!
//! Saves round trips: fifteen profiles in one statement take 173 µs, a single one 111 µs
//! (docs/decisions/0008-coalesced-lookups-and-pipelines.md). Correctness does not depend on it: a
//! batch of one runs the statement as it is, and a failed batch is repeated one by one.
//!
//! A read returns one text, so it becomes a scalar subquery, evaluated once for each caller; no
//! statement is written twice. Statements that find a few rows by their keys get the same plan
//! there. Larger reads are not coalesced: the round trip is the least of their cost.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use colloquy_core::store::driver::{DriverError, Param, Statement, Step};

use super::owned_param::OwnedParam;
use crate::perf::coalesce::{BatchRunner, Coalescer, Limits};

/// Waiting callers that justify a batch beside those in flight.
const START_EXTRA_AT: usize = 8;

/// Callers of one batch at most.
const MAX_BATCH: usize = 64;

type ReadResult = Result<Option<String>, DriverError>;

/// Runs statements in the database.
pub(super) trait Reader: Clone + Send + Sync + 'static {
    /// Runs a statement for one caller.
    fn one(&self, step: &Step<'_>) -> impl Future<Output = ReadResult> + Send;

    /// Runs a combined statement for several callers: as many results, in the same order.
    fn many(
        &self,
        text: &Arc<str>,
        callers: &[Vec<OwnedParam>],
    ) -> impl Future<Output = Result<Vec<Option<String>>, DriverError>> + Send;
}

/// A coalescer for each lookup statement. Clones share them.
#[derive(Clone)]
pub(super) struct CoalescedLookups<R: Reader> {
    reader: R,
    max_in_flight: usize,
    statements: Arc<Statements<R>>,
}

/// By the statement's name.
type Statements<R> = Mutex<HashMap<&'static str, Coalescer<Lookup<R>>>>;

impl<R: Reader> CoalescedLookups<R> {
    /// Over a pool of this size. A statement has as many batches in flight as there are cores, but
    /// at most half of the pool's connections, so that further callers form a batch.
    pub(super) fn new(reader: R, pool_size: usize) -> Self {
        let cores = available_parallelism().map_or(2, usize::from);
        Self {
            reader,
            max_in_flight: cores.clamp(1, (pool_size / 2).max(1)),
            statements: Arc::default(),
        }
    }

    /// Runs the lookup, alone or in a batch.
    pub(super) async fn run(&self, step: &Step<'_>) -> ReadResult {
        let params = step.params.iter().copied().map(OwnedParam::from).collect();
        let coalescer = self.coalescer(step.statement);
        let lost = || DriverError::Unavailable("a coalesced lookup was cancelled".to_owned());
        coalescer.call(params).await.unwrap_or_else(|| Err(lost()))
    }

    fn coalescer(&self, statement: &'static Statement) -> Coalescer<Lookup<R>> {
        let mut statements = self
            .statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let create = || {
            let lookup = Lookup {
                reader: self.reader.clone(),
                statement,
                combined: OnceLock::new(),
            };
            let limits = Limits {
                max_in_flight: self.max_in_flight,
                start_extra_at: START_EXTRA_AT,
                max_batch: MAX_BATCH,
            };
            Coalescer::new(lookup, limits)
        };
        statements
            .entry(statement.name)
            .or_insert_with(create)
            .clone()
    }
}

/// One statement.
struct Lookup<R> {
    reader: R,
    statement: &'static Statement,
    /// The combined statement, composed when it is first needed.
    combined: OnceLock<Arc<str>>,
}

impl<R: Reader> BatchRunner for Lookup<R> {
    type Request = Vec<OwnedParam>;
    type Response = ReadResult;

    async fn run(&self, callers: Vec<Vec<OwnedParam>>) -> Vec<ReadResult> {
        let [first, _, ..] = &callers[..] else {
            return self.one_by_one(&callers).await;
        };
        let text = self
            .combined
            .get_or_init(|| combine(self.statement.text, first).into());
        match self.reader.many(text, &callers).await {
            Ok(results) => results.into_iter().map(Ok).collect(),
            // One caller's parameters may have failed the whole batch.
            Err(DriverError::Unexpected(_)) => self.one_by_one(&callers).await,
            Err(error) => callers.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl<R: Reader> Lookup<R> {
    async fn one_by_one(&self, callers: &[Vec<OwnedParam>]) -> Vec<ReadResult> {
        let mut results = Vec::with_capacity(callers.len());
        for params in callers {
            let params: Vec<Param<'_>> = params.iter().map(Param::from).collect();
            let step = Step::new(self.statement, params);
            results.push(self.reader.one(&step).await);
        }
        results
    }
}

/// The statement for several callers, composed from the one for a single caller, whose parameters
/// have these types. `$2` becomes the second column of a table with one array for each parameter.
///
/// `(select $1)` hides the length of the array from the planner, which would otherwise plan each
/// batch again (docs/decisions/0028-planner-settings-by-statement.md).
fn combine(text: &str, params: &[OwnedParam]) -> String {
    let mut combined = String::from("select array(select (\n");
    combined.push_str(&text.replace('$', "caller.p"));
    combined.push_str("\n) from unnest(");
    for (index, param) in params.iter().enumerate() {
        let (comma, number) = (if index == 0 { "" } else { ", " }, index + 1);
        let kind = match param {
            OwnedParam::Int(_) => "bigint",
            OwnedParam::Text(_) => "text",
        };
        // Writing to a String cannot fail.
        let _ = write!(combined, "{comma}(select ${number}::{kind}[])");
    }
    combined.push_str(") with ordinality as caller (");
    for number in 1..=params.len() {
        let _ = write!(combined, "p{number}, ");
    }
    combined.push_str("ordinal) order by caller.ordinal)");
    combined
}

impl<R: Reader> fmt::Debug for CoalescedLookups<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalescedLookups")
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}
