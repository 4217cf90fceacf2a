//! What is cached and when it may be believed.
//!
//! Owns recent history ([`RecentHistory`]) over any [`Cache`](crate::ports::Cache), the cache
//! that lives in this process ([`InProcess`]) for hosts without a Redis, and what lists of
//! conversations show ([`SummaryCache`]). Deliberately knows no
//! socket and no HTTP: [`redis_args`] names what a command is in
//! Redis, and an adapter sends it. To cache something else, give it a file
//! here that opens with the proof that it cannot lie.

mod history;
mod in_process;
#[cfg(test)]
mod interleaving_tests;
mod proof;
mod redis_args;
mod summaries;
mod verified_pages;

pub use history::{KEPT_EVENTS, RecentHistory};
pub use in_process::InProcess;
pub use proof::CachedEvents;
pub use redis_args::redis_args;
pub use summaries::{PageKey, RenderedSummary, SummaryCache, cached_summaries};
pub use verified_pages::RenderedPage;
