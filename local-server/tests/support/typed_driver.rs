//! The driver as the edge has it: one `tokio_postgres` client, statements by `query_typed`.
//!
//! Needs nothing but a connected client: no pool, no timer, no prepared statements, built-in
//! types only, one protocol. Whoever holds the client owns its connection and how long to wait.

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A [`Driver`] over one connection. Batches of several callers are pipelined on it.
pub(crate) struct TypedDriver {
    client: Client,
}

impl TypedDriver {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Driver for TypedDriver {
    async fn run(
        &self,
        _access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        let [step] = steps else {
            return Err(DriverError::Unexpected(
                "PostgreSQL takes one step at a time".to_owned(),
            ));
        };
        let params: Vec<(&(dyn ToSql + Sync), Type)> = step.params.iter().map(typed).collect();
        let rows = self
            .client
            .query_typed(step.statement.text, &params)
            .await
            .map_err(|error| driver_error(&error))?;
        let answer = rows
            .first()
            .map(|row| row.try_get::<_, Option<String>>(0))
            .transpose();
        answer
            .map(|answer| vec![answer.flatten()])
            .map_err(|error| driver_error(&error))
    }
}

fn typed<'a>(param: &'a Param<'_>) -> (&'a (dyn ToSql + Sync), Type) {
    match param {
        Param::Int(value) => (value, Type::INT8),
        Param::OptionalInt(value) => (value, Type::INT8),
        Param::Text(value) => (value, Type::TEXT),
        Param::OptionalText(value) => (value, Type::TEXT),
    }
}

fn driver_error(error: &tokio_postgres::Error) -> DriverError {
    match error.as_db_error() {
        Some(error) => {
            DriverError::of_postgres(error.code().code(), error.constraint(), error.message())
        }
        // Everything else that happens to a connection in order is that it ends.
        None => DriverError::Unavailable(error.to_string()),
    }
}
