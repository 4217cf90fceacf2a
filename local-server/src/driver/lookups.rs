//! Lookups of several askers in one exchange with PostgreSQL: the same statement once, and the
//! parameters of each.
//!
//! A reading statement of core answers with one text, so it can stand as a scalar subquery, once
//! for each asker; nothing of it has to be written twice. What finds a few rows by their keys is
//! planned no worse there. What reads many is not joined: the exchange is the least of its cost.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use colloquy_core::store::driver::{DriverError, Param, Statement, Step};

use super::owned::Owned;
use crate::perf::coalesce::{BatchRunner, Coalescer, Limits};

/// Askers of one exchange: so many that others begin beside it, and at most.
const ENOUGH: usize = 8;
const MOST: usize = 64;

type Answer = Result<Option<String>, DriverError>;

/// What carries statements to the database.
pub(super) trait Reader: Clone + Send + Sync + 'static {
    /// Reads for one.
    fn one(&self, step: &Step<'_>) -> impl Future<Output = Answer> + Send;

    /// Reads for many by that statement: as many answers, in the same order.
    fn many(
        &self,
        text: &Arc<str>,
        asked: &[Vec<Owned>],
    ) -> impl Future<Output = Result<Vec<Option<String>>, DriverError>> + Send;
}

/// Every statement that looks up, each gathered for itself. Clones share them.
#[derive(Clone)]
pub(super) struct Lookups<R: Reader> {
    reader: R,
    under_way: usize,
    statements: Arc<Statements<R>>,
}

/// By the statement's name.
type Statements<R> = Mutex<HashMap<&'static str, Coalescer<Lookup<R>>>>;

impl<R: Reader> Lookups<R> {
    /// Over a pool of so many connections. Exchanges for one statement at a time are as many as
    /// there are cores to serve them, and few enough that others gather meanwhile.
    pub(super) fn new(reader: R, pool_size: usize) -> Self {
        let cores = available_parallelism().map_or(2, usize::from);
        Self {
            reader,
            under_way: cores.clamp(1, (pool_size / 2).max(1)),
            statements: Arc::default(),
        }
    }

    /// Looks up, alone or together with others.
    pub(super) async fn look(&self, step: &Step<'_>) -> Answer {
        let params = step.params.iter().copied().map(Owned::from).collect();
        let coalescer = self.coalescer(step.statement);
        let lost = || DriverError::Unavailable("a joint lookup came to no end".to_owned());
        coalescer.call(params).await.unwrap_or_else(|| Err(lost()))
    }

    fn coalescer(&self, statement: &'static Statement) -> Coalescer<Lookup<R>> {
        let mut statements = self
            .statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let begin = || {
            let read = Lookup {
                reader: self.reader.clone(),
                statement,
                text: OnceLock::new(),
            };
            let limits = Limits {
                max_in_flight: self.under_way,
                start_extra_at: ENOUGH,
                max_batch: MOST,
            };
            Coalescer::new(read, limits)
        };
        statements
            .entry(statement.name)
            .or_insert_with(begin)
            .clone()
    }
}

/// One statement.
struct Lookup<R> {
    reader: R,
    statement: &'static Statement,
    /// The statement for many, once it is needed.
    text: OnceLock<Arc<str>>,
}

impl<R: Reader> BatchRunner for Lookup<R> {
    type Request = Vec<Owned>;
    type Response = Answer;

    async fn run(&self, asked: Vec<Vec<Owned>>) -> Vec<Answer> {
        let [first, _, ..] = &asked[..] else {
            return self.one_by_one(&asked).await;
        };
        let text = self
            .text
            .get_or_init(|| for_many(self.statement.text, first).into());
        match self.reader.many(text, &asked).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            // One of the questions may have spoilt it for all.
            Err(DriverError::Unexpected(_)) => self.one_by_one(&asked).await,
            Err(error) => asked.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl<R: Reader> Lookup<R> {
    async fn one_by_one(&self, asked: &[Vec<Owned>]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(asked.len());
        for params in asked {
            let params: Vec<Param<'_>> = params.iter().map(Param::from).collect();
            let step = Step::new(self.statement, params);
            answers.push(self.reader.one(&step).await);
        }
        answers
    }
}

/// The statement for many, made of that for one; each has parameters like these. `$2` becomes the
/// second column of a table made of an array for each parameter.
fn for_many(text: &str, params: &[Owned]) -> String {
    let mut many = String::from("select array(select (\n");
    many.push_str(&text.replace('$', "asked.p"));
    many.push_str("\n) from unnest(");
    for (index, param) in params.iter().enumerate() {
        let (comma, number) = (if index == 0 { "" } else { ", " }, index + 1);
        let kind = match param {
            Owned::Int(_) => "bigint",
            Owned::Text(_) => "text",
        };
        // Writing to a String cannot fail.
        let _ = write!(many, "{comma}${number}::{kind}[]");
    }
    many.push_str(") with ordinality as asked (");
    for number in 1..=params.len() {
        let _ = write!(many, "p{number}, ");
    }
    many.push_str("place) order by asked.place)");
    many
}

impl<R: Reader> fmt::Debug for Lookups<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups")
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}
