//! What a user keeps while servers are restarted, killed and cut off from their stores: every
//! acknowledged message, once, in one order. These tests disturb everything that runs against the
//! same server, so they take turns ([`turn`]) and are run apart from the others.

mod crowd;
mod diary;
mod postgres;
mod redis;
mod restart;
mod rush;

use colloquy_tests::Control;
use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other test of this program disturbs anything, and starts whatever one that
/// failed has left dead. Holds also where somebody forgot `--test-threads=1`.
async fn turn(control: &Control) -> MutexGuard<'static, ()> {
    let turn = TURN.lock().await;
    control.start_everything().await;
    turn
}
