//! What a user observes while servers are restarted, killed and cut off from their stores: error
//! codes, close codes, health and recovery. Whether anything is lost, duplicated or reordered under
//! load is checked by the chaos run (`tests/chaos`).
//!
//! These tests stop what every other test needs, so each one holds [`exclusive`].

mod memory;
mod overload;
mod postgres;
mod redis;
mod restart;

use std::sync::Arc;

use colloquy_blackbox::{Account, Control};
use colloquy_client::{Client, Rest, RestOptions};
use tokio::sync::{Mutex, MutexGuard};

static EXCLUSIVE: Mutex<()> = Mutex::const_new(());

/// Waits until no other test of this program runs, and starts the services that a failed test may
/// have left stopped. Needed without `--test-threads=1`.
async fn exclusive(control: &Control) -> MutexGuard<'static, ()> {
    let guard = EXCLUSIVE.lock().await;
    control.start_all().await;
    guard
}

/// A well-behaved client of this account, which repeats and resumes through the fault.
async fn well_behaved(account: &Account) -> Client {
    let server = account.api.server().url("");
    let rest = Rest::new(&server, RestOptions::default()).expect("an HTTP client");
    let login = colloquy_client::Account::log_in(&rest, &account.username, &account.password);
    let account = login.await.expect("a login");
    Client::new(rest, Arc::new(account))
}
