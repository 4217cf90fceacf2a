//! The database behind [`crate::ports::Store`]: its statements, their parameters and results.
//!
//! Owns the statements (`core/sql/`), their parameters and the decoding of their results. Owns no
//! connection, pool, transaction or timeout: those belong to a [`driver::Driver`], which an adapter
//! brings. Every statement returns at most one row with one text column that holds JSON, and takes
//! only big integers and texts: what every driver, at the edge too, can carry.
//!
//! [`SqlStore`] implements the port once, over a [`Dialect`]. A use case that is one statement with
//! the same parameters in both dialects is in `sql_store`; the writes that differ are methods of
//! the dialect. [`Postgres`] executes each of them as one statement, and so in one round trip (a
//! batch of sends that cannot be stored whole takes a second one). [`Sqlite`] executes them as a few
//! guarded statements in one transaction, which D1 could run unchanged.
//!
//! A line `-- include: <name>` in a statement is replaced at compile time by
//! `sql/<dialect>/shared/<name>.sql`; the check of session and membership is written there, once
//! per dialect.
//!
//! To add a use case: a method in `ports::Store`; a statement `sql/<dialect>/<resource>/<verb>.sql`
//! in both dialects; if one statement serves in both, a field of `Statements`, otherwise a method of
//! `Dialect`; a case in the contract suite (`tests/contract`).

mod conversation_page;
mod decode;
mod dialect;
pub mod driver;
mod params;
mod postgres;
mod sql_store;
mod sqlite;

pub use dialect::Dialect;
pub use postgres::Postgres;
pub use sql_store::SqlStore;
pub use sqlite::Sqlite;

/// The store over PostgreSQL.
pub type PostgresStore<D> = SqlStore<D, Postgres>;

/// The store over SQLite.
pub type SqliteStore<D> = SqlStore<D, Sqlite>;
