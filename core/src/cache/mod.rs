//! What is cached, and the proof that it can be trusted.
//!
//! Owns the recent history of conversations ([`RecentHistory`]) over any
//! [`Cache`](crate::ports::Cache), the in-process cache ([`InProcess`]) for hosts without a Redis,
//! and the memoized summaries of lists of conversations ([`SummaryCache`]). Deliberately knows no
//! socket and no HTTP: [`redis_args`] translates a command for Redis, an adapter sends it. To cache
//! something else, add a file here that opens with the proof of its correctness.
//!
//! Read in this order: `history` (the argument, the read path and the writes), `proof` (the check),
//! `entries` (the stored form). The write-behind buffer belongs to the hosts of a Room
//! ([`WriteBuffer`](colloquy_proto::room::WriteBuffer)). Two optimisations lie in modules of their own,
//! `verified_pages` and `summaries`; the program is correct without them.

mod entries;
mod history;
mod in_process;
#[cfg(test)]
mod interleaving_tests;
mod proof;
mod redis_args;
mod rendered_page;
mod rendered_summary;
mod summaries;
mod verified_pages;

pub use entries::MAX_CACHED_EVENTS;
pub use history::RecentHistory;
pub use in_process::InProcess;
pub use proof::CachedEvents;
pub use redis_args::redis_args;
pub use rendered_page::RenderedPage;
pub use rendered_summary::RenderedSummary;
pub use summaries::{PageKey, SummaryCache, cached_summaries};
