//! Everything Colloquy decides: accounts, conversations, the live room, the wire, the routes.
//!
//! Owns every rule a client can notice. Deliberately owns no socket, clock, environment,
//! randomness, task or database driver: an adapter (`worker/`, `local-server/`) brings those
//! through [`ports`] and carries what this crate decides.
//!
//! Read in this order: [`domain`] (the nouns), [`protocol`] (the wire), [`room`] (the live state
//! machine), [`ports`] (what an adapter owes), [`service`] (the use cases), [`http`] (the routes).

pub mod auth;
mod bounded_cache;
pub mod cache;
pub mod config;
pub mod http;
pub mod ports;
pub mod service;
pub mod store;
