//! What only a Room that sleeps and wakes can get wrong: run against the edge alone.
//!
//! An idle Room is put away by the runtime and comes back with what its sockets carry. Nothing of
//! that may be noticed, and these tests look where it would be. Only the server's log tells that a
//! Room woke (`journal.rs`). Those that restart the runtime wait until no other test runs.

mod codes;
mod cost;
mod crowd;
mod ghosts;
mod internal;
mod journal;
mod panics;
mod restart;
mod sleep;
mod two;

use colloquy_tests::Server;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use journal::Journal;

static RUNTIME: RwLock<()> = RwLock::const_new(());

/// Held while a server is made to panic, and by whom that would cost an answer.
static FAULTS: Mutex<()> = Mutex::const_new(());

/// Holds off restarts of the runtime while a test counts on it.
async fn undisturbed() -> RwLockReadGuard<'static, ()> {
    RUNTIME.read().await
}

/// What a test of Rooms that sleep begins with: the server under test, and its log.
async fn watched() -> (RwLockReadGuard<'static, ()>, Server, Journal) {
    let undisturbed = undisturbed().await;
    let server = Server::under_test();
    let journal = Journal::of(&server).await;
    (undisturbed, server, journal)
}

/// Waits until no other test runs, and holds them off.
async fn restarting() -> RwLockWriteGuard<'static, ()> {
    RUNTIME.write().await
}
