//! Redis over HTTP, as Upstash's REST protocol defines it.
//!
//! Four parts, each usable without the next:
//!
//! - [`codec`]: commands, replies and their JSON encoding. No I/O.
//! - [`client`] (feature `client`): one `POST /pipeline` per call, over reqwest. Builds for native
//!   and wasm32, so that both hosts of Colloquy use the same protocol.
//! - [`cache`] (feature `cache`): the client as core's cache.
//! - [`proxy`] (feature `proxy`, and the binary): a small server that puts this protocol in
//!   front of a plain Redis, for docker-compose and the tests.
//!
//! It does not interpret commands and does not know what core caches.

pub mod codec;

#[cfg(feature = "cache")]
pub mod cache;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "proxy")]
pub mod proxy;

#[cfg(feature = "cache")]
pub use cache::RedisCache;
#[cfg(feature = "client")]
pub use client::{Client, ClientError};
pub use codec::{CodecError, Command, CommandError, Encoding, Outcome, Reply};
