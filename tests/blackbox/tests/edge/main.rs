//! What only hibernation can break: run against the edge alone.
//!
//! The runtime hibernates an idle Room and restores it from the state that its sockets carry. No
//! client may notice. Only the server's log shows a restore (`server_log.rs`). Tests that restart
//! the runtime wait until no other test runs.

mod close_codes;
mod floods;
mod heartbeat;
mod hibernation;
mod internal_rpc;
mod limits;
mod many_sockets;
mod panics;
mod restart;
mod round_trips;
mod server_log;
mod two_instances;

use colloquy_blackbox::Server;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use server_log::ServerLog;

static RUNTIME: RwLock<()> = RwLock::const_new(());

/// Held by tests that make a server panic, and by tests whose requests a panic would interrupt.
static FAULTS: Mutex<()> = Mutex::const_new(());

/// Prevents restarts of the runtime while the guard lives.
async fn without_restarts() -> RwLockReadGuard<'static, ()> {
    RUNTIME.read().await
}

/// The server under test and its log, without restarts.
async fn server_and_log() -> (RwLockReadGuard<'static, ()>, Server, ServerLog) {
    let guard = without_restarts().await;
    let server = Server::under_test();
    let log = ServerLog::of(&server).await;
    (guard, server, log)
}

/// Waits until no other test runs, and keeps others from starting while the guard lives.
async fn exclusive() -> RwLockWriteGuard<'static, ()> {
    RUNTIME.write().await
}
