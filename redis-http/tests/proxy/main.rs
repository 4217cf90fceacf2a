//! The proxy's binary over a private Redis.
//!
//! `protocol` tests the documented Upstash protocol, `client` this crate's client, `npm` the
//! unmodified `@upstash/redis`, `outage` an unavailable Redis, `process` settings, health check,
//! signals and logs.

mod client;
mod npm;
mod outage;
mod process;
mod protocol;
mod support;
