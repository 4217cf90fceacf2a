//! What is cached and when it may be believed.
//!
//! Owns recent history ([`RecentHistory`]) over any [`Cache`](crate::ports::Cache), the cache
//! that lives in this process ([`InProcess`]) for hosts without a Redis, and what lists of
//! conversations show ([`Lists`]). Deliberately knows no
//! socket and no HTTP: [`redis_words`] names what a command is in
//! Redis, and an adapter sends it. To cache something else, give it a file
//! here that opens with the proof that it cannot lie.

mod history;
mod in_process;
#[cfg(test)]
mod interleaving_tests;
mod lists;
mod pages;
mod recent;
mod redis_words;
mod unrecorded;

pub use history::{KEPT_EVENTS, RecentHistory};
pub use in_process::InProcess;
pub use lists::{Lists, Place, Shown, held};
pub use pages::RenderedPage;
pub use recent::Recent;
pub use redis_words::redis_words;
pub use unrecorded::{NewEvents, Unrecorded};
