//! Budgets of users, through the whole router.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::server::{Server, TestResponse};

const MEMBERS: &str = "/api/chat/conversations/1/members/";

async fn add_member(server: &Server) -> TestResponse {
    let body = json!({"user_id": 3}).to_string();
    server.post_as_ann(MEMBERS, body).await
}

#[tokio::test]
async fn request_beyond_the_budget_is_throttled_with_the_exact_wait() {
    let server = Server::new().await;
    for _ in 0..30 {
        assert_eq!(add_member(&server).await.status, 201);
    }
    let refused = add_member(&server).await;
    assert_eq!(
        (refused.status.as_u16(), &*refused.code()),
        (429, "throttled")
    );
    assert_eq!(refused.json()["retry_after_ms"], 2_000);
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(
        refused.json()["detail"],
        "Too many requests: the budget \"members\" is used up."
    );
    let changes = server.rooms.changes.lock().unwrap().len();
    assert_eq!(changes, 30, "a refused request has no effect");
    // Other requests have other budgets, and tokens return one by one.
    let lists = server.get_as_ann("/api/chat/conversations/").await;
    assert_eq!(lists.status, 200);
    server.clock.0.fetch_add(2_000, Ordering::Relaxed);
    assert_eq!(add_member(&server).await.status, 201);
    assert_eq!(add_member(&server).await.status, 429);
}

#[tokio::test]
async fn head_is_charged_as_get() {
    let server = Server::new().await;
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/api/chat/conversations/")
            .header("authorization", format!("Bearer {}", server.token()))
            .body(Body::empty())
            .unwrap()
    };
    for turn in 0..300 {
        let method = if turn % 2 == 0 { "GET" } else { "HEAD" };
        assert_eq!(server.send(request(method)).await.status, 200);
    }
    for method in ["GET", "HEAD"] {
        assert_eq!(server.send(request(method)).await.status, 429);
    }
}

#[tokio::test]
async fn refreshes_and_logouts_are_charged_whatever_comes_of_them() {
    let server = Server::new().await;
    let body = json!({"refresh": server.refresh_token(0)}).to_string();
    let refresh = async || server.post("/api/users/token/refresh/", body.clone()).await;
    for _ in 0..30 {
        assert_ne!(refresh().await.status, 429);
    }
    assert_eq!(refresh().await.code(), "throttled");
    let log_out = async || server.post_as_ann("/api/users/logout/", body.clone()).await;
    for _ in 0..20 {
        assert_ne!(log_out().await.status, 429);
    }
    let notified = server.rooms.revoked.lock().unwrap().len();
    assert_eq!(log_out().await.code(), "throttled");
    assert_eq!(server.rooms.revoked.lock().unwrap().len(), notified);
}

#[tokio::test]
async fn factor_of_zero_turns_budgets_off() {
    let server = Server::with(&[("BUDGET_FACTOR", "0")]).await;
    for _ in 0..100 {
        assert_eq!(add_member(&server).await.status, 201);
    }
}

#[tokio::test]
async fn sockets_beyond_the_budget_are_closed_as_flooding() {
    let server = Server::new().await;
    let token = server.token();
    let open = async || {
        let request = Request::get("/ws/chat/1/")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("authorization", format!("Bearer {token}"));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for _ in 0..1_200 {
        assert_eq!(open().await.header("x-opened"), "1");
    }
    assert_eq!(open().await.header("x-closed"), "4100");
}
