//! Redis over HTTP, as Upstash's REST protocol defines it.
//!
//! Owns four things, each of which can be had without the next:
//!
//! - [`codec`]: commands and replies, and how they lie in a JSON body. No I/O.
//! - [`client`] (feature `client`): one `POST /pipeline` per call, over reqwest; it builds for
//!   native and for wasm32, so that both hosts of Colloquy talk to their cache alike.
//! - [`cache`] (feature `cache`): the client as core's cache.
//! - [`proxy`] (feature `proxy`, and the binary): a small server that gives a plain Redis this
//!   protocol, for docker-compose and for the tests.
//!
//! It does not know what core caches, and gives no command a meaning of its own.

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
