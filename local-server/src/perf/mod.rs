//! Optimisations of the native server, apart from the plain path.
//!
//! Each module states what it saves and which decision introduced it. The server returns the same
//! responses without any of them: a caller could invoke the store, the cache or the stream
//! directly.

pub(crate) mod coalesce;
pub mod coalescing_cache;
pub mod cross_room_commit;
pub(crate) mod deferred_write;
