//! Limits of failed logins: an attacker cannot lock out the owner, who uses another address.

use std::net::Ipv4Addr;

use colloquy_blackbox::{Account, Api, Control, Response, Server, random_below};
use serde_json::json;

const LOGIN: &str = "/api/users/login/";

/// The failed logins of an account from one address, until they are refused.
const PER_ADDRESS: usize = 10;

async fn can_choose_addresses(skipped: &str) -> bool {
    Control::with_capability("client-addresses", skipped)
        .await
        .is_some()
}

/// An address that no other test uses.
fn some_address() -> Ipv4Addr {
    let [one, two] = [(); 2].map(|()| u8::try_from(1 + random_below(250)).expect("a byte"));
    Ipv4Addr::new(127, 77, one, two)
}

async fn log_in(account: &Account, password: &str, from: Ipv4Addr) -> Response {
    let api = Api::at_address(&Server::under_test(), from);
    let fields = json!({"username": account.username, "password": password});
    api.post(LOGIN, &fields).await
}

/// Guesses from an address until it is refused.
async fn guess_until_refused(account: &Account, from: Ipv4Addr) {
    for _ in 0..PER_ADDRESS {
        let response = log_in(account, "not-the-password", from).await;
        response.expect_error(401, "bad_credentials");
    }
    let response = log_in(account, &account.password, from).await;
    response.expect_error(429, "too_many_attempts");
    let wait = response.header("retry-after").expect("a wait");
    assert!((1..=300).contains(&wait.parse::<u64>().expect("seconds")));
}

#[tokio::test]
async fn failed_logins_from_one_address_lock_out_no_other() {
    if !can_choose_addresses("logins from several addresses").await {
        return;
    }
    let account = Account::new(&Server::under_test()).await;
    let (attacker, elsewhere) = (some_address(), some_address());
    guess_until_refused(&account, attacker).await;
    // From an address that was never used, and again after its success.
    for _ in 0..2 {
        let response = log_in(&account, &account.password, elsewhere).await;
        response.expect_status(200);
    }
    // The owner's success gives the attacker no more guesses.
    let response = log_in(&account, &account.password, attacker).await;
    response.expect_error(429, "too_many_attempts");
}

#[tokio::test]
async fn guesses_from_several_addresses_slow_down_unknown_devices_but_not_the_owner() {
    if !can_choose_addresses("logins from several addresses").await {
        return;
    }
    let account = Account::new(&Server::under_test()).await;
    let home = some_address();
    log_in(&account, &account.password, home)
        .await
        .expect_status(200);
    for _ in 0..3 {
        guess_until_refused(&account, some_address()).await;
    }
    let login = async |from| {
        let started = tokio::time::Instant::now();
        let response = log_in(&account, &account.password, from).await;
        response.expect_status(200);
        started.elapsed()
    };
    // Thirty guesses: the next attempt of an unknown device waits for a second.
    let unknown = login(some_address()).await;
    assert!(unknown.as_millis() >= 1_000, "{unknown:?}");
    // A busy machine may delay one of several logins.
    let mut known = login(home).await;
    for _ in 0..3 {
        known = known.min(login(home).await);
    }
    assert!(known.as_millis() < 1_000, "{known:?}");
}
