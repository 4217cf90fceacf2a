//! The cache goes and comes back: nobody but the one who watches over the server notices.

use colloquy_tests::{Account, Api, Control, Server, eventually};
use serde_json::json;

use crate::crowd::Crowd;
use crate::turn;

#[tokio::test]
async fn without_redis_the_database_answers() {
    goes_and_comes_back("redis").await;
}

#[tokio::test]
async fn without_the_front_of_redis_the_database_answers() {
    goes_and_comes_back("redis-http").await;
}

async fn goes_and_comes_back(service: &str) {
    let Some(control) = Control::with(service, &format!("the loss of {service} under load")).await
    else {
        return;
    };
    let _turn = turn(&control).await;
    let crowd = Crowd::start().await;
    crowd.progress(2).await;
    read_from(&crowd.observer, crowd.id, "redis").await;
    control.act(service, "kill").await;
    let api = Api::anonymous(&Server::under_test());
    let health = api.get("/health/").await.expect(200);
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(
        (&health["database"], &health["redis"]),
        (&json!(true), &json!(false))
    );
    read_from(&crowd.observer, crowd.id, "database").await;
    // Each of them also reads after every acknowledgement that what was told is there.
    crowd.progress(2).await;
    control.act(service, "start").await;
    eventually("the server is healthy again", async || {
        let health = api.get("/health/").await.expect(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
    crowd.progress(2).await;
    read_from(&crowd.observer, crowd.id, "redis").await;
    crowd.finish().await;
}

/// Histories are read from here, sooner or later.
async fn read_from(account: &Account, id: u64, source: &str) {
    eventually(&format!("the history comes from {source}"), async || {
        let page = account.latest(id).await;
        (page["source"] == source).then_some(())
    })
    .await;
}
