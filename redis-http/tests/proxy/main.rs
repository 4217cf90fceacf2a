//! The proxy as its callers meet it: the real binary over a real Redis of the test's own.
//!
//! `protocol` holds what Upstash's documentation promises, `client` our own client, `npm` the
//! unmodified `@upstash/redis`, `outage` what happens when Redis is away, `process` the binary's
//! life from settings to signals.

mod client;
mod npm;
mod outage;
mod process;
mod protocol;
mod support;
