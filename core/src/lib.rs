//! The application: accounts, sessions, conversations, messages and the REST API.
//!
//! Owns every rule that needs a database, a cache or HTTP. Domain types, wire protocol and the live
//! Room are in `colloquy-proto`. Deliberately owns no socket, clock, environment, randomness, task
//! or database driver: an adapter (`worker/`, `local-server/`) provides those through [`ports`].
//!
//! Read in this order: [`ports`] (what an adapter provides), [`service`] (the use cases), [`http`]
//! (the routes), [`store`] (the SQL behind the database port), [`cache`] (the cached history),
//! [`counters`] (the token buckets of rate limits).

pub mod auth;
mod bounded_cache;
pub mod cache;
pub mod config;
pub mod counters;
pub mod http;
pub mod page_size;
pub mod ports;
pub mod service;
pub mod store;
pub mod unicode;
