//! The health endpoints that monitoring uses.

use colloquy_blackbox::{Api, Server};

#[tokio::test]
async fn server_with_its_stores_is_healthy() {
    let api = Api::anonymous(&Server::under_test());
    let health = api.get("/health/").await.expect_status(200);
    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!(health["database"], true, "{health}");
    assert!(health.get("redis").is_some(), "{health}");
    assert_eq!(api.get("/health").await.expect_status(200), health);
}

#[tokio::test]
async fn liveness_and_readiness_are_reported() {
    let api = Api::anonymous(&Server::under_test());
    for path in [
        "/health/live/",
        "/health/live",
        "/health/ready/",
        "/health/ready",
    ] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn health_ignores_tokens() {
    let api = Api::anonymous(&Server::under_test()).with_bearer("nonsense");
    for path in ["/health/", "/health/live/", "/health/ready/"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}
