//! The database behind [`crate::ports::Store`]: what is asked of it and how its answers read.
//!
//! Owns the statements (`core/sql/`), their parameters and the decoding of their answers. Owns
//! no connection, pool, transaction or timeout: those belong to a [`driver::Driver`], which an
//! adapter brings. Every statement answers with at most one row of one text column that holds
//! JSON, and takes only big integers and texts: what every driver, at the edge too, can carry.
//!
//! [`PostgresStore`] does each use case in one statement, and so in one round trip; a batch of sends
//! that cannot be stored whole takes a second.
//! [`SqliteStore`] does the writing ones in a few guarded statements of one transaction, plain
//! enough to run on D1 as they are.
//!
//! To add a use case: its method in `ports::Store`; its statement in `sql/<dialect>/<area>/` for
//! both dialects; a read goes into `reads` once, a write into `postgres` and `sqlite`; its
//! case in `testing::store_contract`.

mod answer;
mod columns;
pub mod driver;
mod input;
mod listed;
mod postgres;
mod postgres_sends;
mod reads;
mod sqlite;
mod sqlite_sends;

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
