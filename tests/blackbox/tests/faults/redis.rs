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
