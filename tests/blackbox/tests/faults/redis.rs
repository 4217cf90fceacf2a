//! The cache becomes unavailable and recovers: requests fall back to the database, and only the
//! health report shows it.

use colloquy_blackbox::{Account, Api, Control, Group, Server, eventually};
use serde_json::json;

use crate::exclusive;

#[tokio::test]
async fn history_is_read_from_the_database_without_redis() {
    check_fallback("redis").await;
}

#[tokio::test]
async fn history_is_read_from_the_database_without_the_redis_proxy() {
    check_fallback("redis-http").await;
}

#[tokio::test]
async fn failed_logins_stay_counted_without_redis() {
    let Some(control) = Control::with_capability("redis", "login limits without Redis").await
    else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let account = Account::new(&Server::under_test()).await;
    let api = Api::anonymous(&Server::under_test());
    let log_in = async |password: &str| {
        let fields = json!({"username": account.username, "password": password});
        api.post("/api/users/login/", &fields).await
    };
    while log_in("not-the-password").await.status == 401 {}
    control.perform("redis", "kill").await;
    let response = log_in(&account.password).await;
    response.expect_error(429, "too_many_attempts");
    control.perform("redis", "start").await;
    let response = log_in(&account.password).await;
    response.expect_error(429, "too_many_attempts");
}

async fn check_fallback(service: &str) {
    let Some(control) = Control::with_capability(service, &format!("the loss of {service}")).await
    else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    send_and_read(&account, id).await;
    wait_for_source(&account, id, "redis").await;
    control.perform(service, "kill").await;
    let api = Api::anonymous(&Server::under_test());
    let health = api.get("/health/").await.expect_status(200);
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(
        (&health["database"], &health["redis"]),
        (&json!(true), &json!(false))
    );
    wait_for_source(&account, id, "database").await;
    send_and_read(&account, id).await;
    control.perform(service, "start").await;
    send_and_read(&account, id).await;
    eventually("the server is healthy again", async || {
        let health = api.get("/health/").await.expect_status(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
    send_and_read(&account, id).await;
    wait_for_source(&account, id, "redis").await;
    let history = account.history(id).await;
    assert_eq!(history.len(), 4, "{history:?}");
}

/// The history has an acknowledged message at once, with and without the cache.
async fn send_and_read(account: &Account, id: u64) {
    let sent = account.send_retrying(id, "Hello").await;
    let page = account.newest_page(id).await;
    let messages = page["messages"].as_array().expect("messages");
    let newest = messages.last().map(|message| &message["id"]);
    assert_eq!(newest, Some(&sent["id"]), "read from {}", page["source"]);
}

async fn wait_for_source(account: &Account, id: u64, source: &str) {
    eventually(&format!("the history is read from {source}"), async || {
        let page = account.newest_page(id).await;
        (page["source"] == source).then_some(())
    })
    .await;
}
