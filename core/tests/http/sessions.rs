//! Login, refresh, logout and bearer tokens.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::fakes::NOW;
use crate::server::{PASSWORD, Server};

#[tokio::test]
async fn session_is_valid_until_logout() {
    let server = Server::new().await;
    let body = json!({"username": "Ann", "password": PASSWORD}).to_string();
    let response = server.post("/api/users/login/", body).await;
    assert_eq!(response.status, 200);
    let login = response.json();
    assert_eq!(login["user"]["username"], "ann");
    let bearer = format!("Bearer {}", login["access"].as_str().unwrap());
    let profile = || {
        Request::get("/api/users/profile/")
            .header("authorization", &bearer)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(
        server.send(profile()).await.json()["email"],
        "ann@example.com"
    );

    let body = json!({"refresh": login["refresh"]}).to_string();
    let logout = || {
        Request::post("/api/users/logout/")
            .header("authorization", &bearer)
            .header("content-type", "application/json")
            .body(Body::from(body.clone()))
            .unwrap()
    };
    let response = server.send(logout()).await;
    assert_eq!((response.status.as_u16(), &*response.text), (205, ""));
    assert_eq!(
        server.rooms.revoked.lock().unwrap().len(),
        1,
        "its sockets must be closed"
    );
    for request in [profile(), logout()] {
        let response = server.send(request).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (401, "session_revoked")
        );
        assert_eq!(response.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn wrong_password_and_unknown_user_are_indistinguishable() {
    let server = Server::new().await;
    let mut bodies = Vec::new();
    for (username, password) in [
        ("ann", "wrong"),
        ("unknown", PASSWORD),
        ("\0", "x"),
        ("", ""),
        (&*"x".repeat(700), "x"),
    ] {
        let body = json!({"username": username, "password": password}).to_string();
        let mut response = server.post("/api/users/login/", body).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (401, "bad_credentials"),
            "{username}"
        );
        response.text = response.text.replace(response.header("x-request-id"), "");
        bodies.push(response.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let response = server.post("/api/users/login/", "{}").await;
    assert_eq!(
        response.json()["username"],
        json!(["This field is required."])
    );
    assert_eq!(
        response.json()["password"],
        json!(["This field is required."])
    );
}

#[tokio::test]
async fn login_attempts_are_limited_per_account_and_reset_by_success() {
    let server = Server::with(&[("LOGIN_ATTEMPTS_PER_ACCOUNT", "2")]).await;
    let attempt = async |password: &str| {
        let body = json!({"username": "ann", "password": password}).to_string();
        server.post("/api/users/login/", body).await
    };
    for (password, status) in [
        ("no", 401),
        (PASSWORD, 200),
        ("no", 401),
        ("no", 401),
        (PASSWORD, 429),
    ] {
        assert_eq!(attempt(password).await.status, status);
    }
    let response = attempt(PASSWORD).await;
    assert_eq!(response.code(), "too_many_attempts");
    assert!((1..=300).contains(&response.header("retry-after").parse::<i64>().unwrap()));
    server.clock.0.fetch_add(301_000, Ordering::Relaxed);
    assert_eq!(attempt(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn attempts_during_an_outage_are_not_counted() {
    let server = Server::with(&[
        ("LOGIN_ATTEMPTS_PER_ACCOUNT", "2"),
        ("LOGIN_ATTEMPTS_PER_ADDRESS", "2"),
    ])
    .await;
    let attempt = async || {
        let body = json!({"username": "ann", "password": PASSWORD}).to_string();
        server.post("/api/users/login/", body).await.status
    };
    server.store.failure.store(1, Ordering::Relaxed);
    for _ in 0..5 {
        assert_eq!(attempt().await, 503);
    }
    server.store.failure.store(0, Ordering::Relaxed);
    assert_eq!(attempt().await, 200);
}

#[tokio::test]
async fn refresh_token_reuse_revokes_the_session() {
    let server = Server::new().await;
    let refresh = async |token: &str| {
        server
            .post(
                "/api/users/token/refresh/",
                json!({"refresh": token}).to_string(),
            )
            .await
    };
    let first = server.refresh_token(0);
    let response = refresh(&first).await;
    assert_eq!(response.status, 200);
    let second = response.json()["refresh"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&second).await.status, 200);
    assert!(server.rooms.revoked.lock().unwrap().is_empty());
    let response = refresh(&first).await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (401, "session_revoked")
    );
    assert_eq!(
        server.rooms.revoked.lock().unwrap().len(),
        1,
        "its sockets must be closed"
    );
    assert_eq!(refresh(&server.token()).await.code(), "token_invalid");
    assert_eq!(refresh("x").await.code(), "token_invalid");
    server.clock.0.store(NOW.0 + 604_800_000, Ordering::Relaxed);
    assert_eq!(refresh(&second).await.code(), "token_expired");
    assert_eq!(
        server.post("/api/users/token/refresh/", "{}").await.status,
        400
    );
}

#[tokio::test]
async fn repeated_refresh_returns_the_same_pair_within_the_grace() {
    let server = Server::new().await;
    let refresh = async |token: &str| {
        let body = json!({"refresh": token}).to_string();
        server.post("/api/users/token/refresh/", body).await
    };
    let at = |millis: i64| server.clock.0.store(NOW.0 + millis, Ordering::Relaxed);
    let expiry = 604_800_000;
    at(expiry - 1_000);
    let first = server.refresh_token(0);
    let response = refresh(&first).await;
    assert_eq!(response.status, 200);
    // Also after the presented token has expired.
    for millis in [expiry - 1_000, expiry - 1, expiry + 58_999] {
        at(millis);
        assert_eq!(refresh(&first).await.text, response.text);
    }
    let second = response.json()["refresh"].as_str().unwrap().to_owned();
    let response = refresh(&second).await;
    assert_eq!(response.status, 200);
    at(expiry + 118_999);
    assert_eq!(refresh(&second).await.text, response.text);
    at(expiry + 119_000);
    let refused = refresh(&second).await;
    assert_eq!(refused.code(), "session_revoked");
    assert_eq!(server.rooms.revoked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn logout_requires_a_refresh_token_of_the_caller() {
    let server = Server::new().await;
    for token in ["x", &server.token()] {
        let response = server
            .post_as_ann("/api/users/logout/", json!({"refresh": token}).to_string())
            .await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (400, "invalid")
        );
    }
    let response = server
        .post(
            "/api/users/logout/",
            json!({"refresh": server.refresh_token(0)}).to_string(),
        )
        .await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (401, "not_authenticated")
    );
    assert_eq!(
        server.post_as_ann("/api/users/logout/", "{}").await.status,
        400
    );
}

#[tokio::test]
async fn only_a_valid_access_token_authenticates() {
    let server = Server::new().await;
    let token = server.token();
    for (header, code) in [
        (String::new(), "not_authenticated"),
        (token.clone(), "not_authenticated"),
        (format!("Basic {token}"), "not_authenticated"),
        ("Bearer ".to_owned(), "token_invalid"),
        (
            format!("Bearer {}", server.refresh_token(0)),
            "token_invalid",
        ),
        (format!("Bearer {token}x"), "token_invalid"),
    ] {
        let request = Request::get("/api/users/profile/")
            .header("authorization", &header)
            .body(Body::empty())
            .unwrap();
        let response = server.send(request).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (401, code),
            "{header}"
        );
        assert_eq!(response.header("www-authenticate"), "Bearer");
    }
    let request = Request::get("/api/users/profile/")
        .header("authorization", format!("bEARER {token}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(request).await.status, 200);
    server.clock.0.store(NOW.0 + 900_000, Ordering::Relaxed);
    assert_eq!(
        server.get_as_ann("/api/users/profile/").await.code(),
        "token_expired"
    );
}
