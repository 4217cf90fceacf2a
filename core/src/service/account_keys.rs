//! The keys of accounts from before names were compared by `core::unicode`. Runs after migrations.
//!
//! The account with the lowest id gets a key that several share, unless another one has it already;
//! the others keep their lower-case key, under which they log in as before.

use std::collections::HashSet;

use crate::ports::{AccountKeys, AccountWithoutKeys, Store, StoreResult};
use crate::unicode::{email_key, username_key};
use colloquy_proto::domain::UserId;

/// How many accounts one statement reads or changes.
const BATCH: i64 = 500;

/// The longest key, in characters; a longer one does not fit into an index. No name of a new account
/// has such a key.
const MAX_KEY_CHARS: usize = 254;

/// Computes missing keys. Returns how many accounts were missing one.
///
/// # Errors
/// Those of the store; calling it again continues.
pub async fn compute_missing(store: &dyn Store) -> StoreResult<u64> {
    let (mut after, mut count) = (UserId(0), 0);
    loop {
        let accounts = store.accounts_without_keys(after, BATCH).await?;
        let Some(last) = accounts.last() else {
            return Ok(count);
        };
        after = last.id;
        count += accounts.len() as u64;
        store.set_account_keys(&keys_of(&accounts)).await?;
    }
}

/// The accounts that are left without a key, because another account has it; at most `limit`, by id.
///
/// # Errors
/// Those of the store.
pub async fn collisions(store: &dyn Store, limit: i64) -> StoreResult<Vec<AccountWithoutKeys>> {
    store.accounts_without_keys(UserId(0), limit).await
}

/// The keys of a batch; of equal ones only the first.
fn keys_of(accounts: &[AccountWithoutKeys]) -> Vec<AccountKeys> {
    let (mut usernames, mut emails) = (HashSet::new(), HashSet::new());
    let mut keys = |account: &AccountWithoutKeys| AccountKeys {
        id: account.id,
        username: account
            .username
            .as_deref()
            .map(username_key)
            .filter(|key| fits(key) && usernames.insert(key.clone())),
        email: account
            .email
            .as_deref()
            .map(email_key)
            .filter(|key| fits(key) && emails.insert(key.clone())),
    };
    accounts.iter().map(&mut keys).collect()
}

fn fits(key: &str) -> bool {
    key.chars().count() <= MAX_KEY_CHARS
}
