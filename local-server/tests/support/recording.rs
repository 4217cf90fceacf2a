//! A driver that records every statement it runs, with its parameters.

use std::sync::Mutex;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};

/// A statement as it was run.
pub(crate) struct RecordedStatement {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// The types of its parameters, and their values as SQL literals.
    pub(crate) types: Vec<&'static str>,
    pub(crate) literals: Vec<String>,
}

pub(crate) struct Recording<D> {
    inner: D,
    statements: Mutex<Vec<RecordedStatement>>,
}

impl<D> Recording<D> {
    pub(crate) const fn new(inner: D) -> Self {
        Self {
            inner,
            statements: Mutex::new(Vec::new()),
        }
    }

    /// What was run since the last call.
    pub(crate) fn take(&self) -> Vec<RecordedStatement> {
        std::mem::take(&mut *self.statements.lock().expect("not poisoned"))
    }
}

fn literal(param: &Param<'_>) -> (&'static str, String) {
    let int = |value: Option<i64>| value.map_or("null".to_owned(), |value| value.to_string());
    let text = |value: Option<&str>| {
        value.map_or("null".to_owned(), |value| {
            format!("'{}'", value.replace('\'', "''"))
        })
    };
    match *param {
        Param::Int(value) => ("bigint", int(Some(value))),
        Param::OptionalInt(value) => ("bigint", int(value)),
        Param::Text(value) => ("text", text(Some(value))),
        Param::OptionalText(value) => ("text", text(value)),
    }
}

#[async_trait]
impl<D: Driver> Driver for Recording<D> {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        for step in steps {
            let (types, literals) = step.params.iter().map(literal).unzip();
            self.statements
                .lock()
                .expect("not poisoned")
                .push(RecordedStatement {
                    name: step.statement.name,
                    text: step.statement.text,
                    types,
                    literals,
                });
        }
        self.inner.run(access, steps).await
    }
}
