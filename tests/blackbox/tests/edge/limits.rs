//! Limits of logins at the edge: they outlive the runtime, and a client without a usable address has
//! no fresh counter.

use colloquy_blackbox::{Account, Api, Control, Response, Server};
use reqwest::Method;
use serde_json::json;

use crate::exclusive;

/// The failed logins of an account from one address, until they are refused.
const PER_ADDRESS: usize = 10;

/// Logs in with this as the platform's header of the client's address.
async fn log_in(account: &Account, password: &str, address: &str) -> Response {
    let api = Api::anonymous(&Server::under_test());
    let request = api.request(Method::POST, "/api/users/login/");
    let fields = json!({"username": account.username, "password": password});
    let request = request.json(&fields).header("cf-connecting-ip", address);
    request.send().await
}

#[tokio::test]
async fn failed_logins_without_a_usable_address_share_a_counter_that_outlives_a_restart() {
    let _alone = exclusive().await;
    let account = Account::new(&Server::under_test()).await;
    for turn in 0..PER_ADDRESS {
        let unusable = format!("unusable-{turn}");
        let response = log_in(&account, "not-the-password", &unusable).await;
        response.expect_error(401, "bad_credentials");
    }
    let refused = async |address| {
        let response = log_in(&account, &account.password, address).await;
        response.expect_error(429, "too_many_attempts");
    };
    for address in ["another", "1.2.3.4, 5.6.7.8"] {
        refused(address).await;
    }
    Control::from_env().perform("server", "restart").await;
    refused("after the restart").await;
    let response = log_in(&account, &account.password, "203.0.113.7").await;
    response.expect_status(200);
}
