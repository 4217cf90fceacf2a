use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::fakes::NOW;
use crate::server::{PASSWORD, Server};

fn registration() -> serde_json::Value {
    json!({"username": "bob", "email": "bob@example.com", "password": "StrongPass123!", "first_name": "Bob", "last_name": "Bee"})
}

#[tokio::test]
async fn registering_answers_the_account_and_nothing_more() {
    let server = Server::new().await;
    let answer = server
        .post("/api/users/register/", registration().to_string())
        .await;
    assert_eq!(answer.status, 201);
    let user = json!({"id": 2, "username": "bob", "email": "bob@example.com", "first_name": "Bob", "last_name": "Bee"});
    assert_eq!(answer.json(), user);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_registration_is_told_by_field() {
    let server = Server::new().await;
    let mut wrong = registration();
    wrong["username"] = json!("a b");
    wrong["password"] = json!("1234");
    wrong.as_object_mut().unwrap().remove("email");
    let answer = server.post("/api/users/register/", wrong.to_string()).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid"));
    let json = answer.json();
    assert_eq!(json["email"], json!(["This field is required."]));
    assert!(
        json["username"][0]
            .as_str()
            .unwrap()
            .starts_with("Enter a valid username.")
    );
    // Too short and all digits; whether it is a common one is asked of longer ones only.
    assert_eq!(json["password"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["request_id"], answer.header("x-request-id"));

    let mut taken = registration();
    taken["username"] = json!("ANN");
    taken["email"] = json!("Ann@Example.com");
    let json = server
        .post("/api/users/register/", taken.to_string())
        .await
        .json();
    assert_eq!(
        json["username"],
        json!(["A user with that username already exists."])
    );
    assert_eq!(
        json["email"],
        json!(["A user with that email already exists."])
    );
}

#[tokio::test]
async fn a_login_is_good_until_logged_out() {
    let server = Server::new().await;
    let body = json!({"username": "Ann", "password": PASSWORD}).to_string();
    let answer = server.post("/api/users/login/", body).await;
    assert_eq!(answer.status, 200);
    let login = answer.json();
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
    let answer = server.send(logout()).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (205, ""));
    assert_eq!(
        server.rooms.revoked.lock().unwrap().len(),
        1,
        "its sockets stay open"
    );
    for request in [profile(), logout()] {
        let answer = server.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (401, "session_revoked")
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_told_alike() {
    let server = Server::new().await;
    let mut told = Vec::new();
    for (username, password) in [
        ("ann", "wrong"),
        ("nobody", PASSWORD),
        ("\0", "x"),
        ("", ""),
        (&*"x".repeat(700), "x"),
    ] {
        let body = json!({"username": username, "password": password}).to_string();
        let mut answer = server.post("/api/users/login/", body).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (401, "bad_credentials"),
            "{username}"
        );
        answer.text = answer.text.replace(answer.header("x-request-id"), "");
        told.push(answer.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    let answer = server.post("/api/users/login/", "{}").await;
    assert_eq!(
        answer.json()["username"],
        json!(["This field is required."])
    );
    assert_eq!(
        answer.json()["password"],
        json!(["This field is required."])
    );
}

#[tokio::test]
async fn attempts_are_limited_for_each_account_and_success_forgives() {
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
    let answer = attempt(PASSWORD).await;
    assert_eq!(answer.code(), "too_many_attempts");
    assert!((1..=300).contains(&answer.header("retry-after").parse::<i64>().unwrap()));
    server.clock.0.fetch_add(301_000, Ordering::Relaxed);
    assert_eq!(attempt(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_outage_locks_nobody_out() {
    let server = Server::with(&[
        ("LOGIN_ATTEMPTS_PER_ACCOUNT", "2"),
        ("LOGIN_ATTEMPTS_PER_ADDRESS", "2"),
    ])
    .await;
    let attempt = async || {
        let body = json!({"username": "ann", "password": PASSWORD}).to_string();
        server.post("/api/users/login/", body).await.status
    };
    server.store.trouble.store(1, Ordering::Relaxed);
    for _ in 0..5 {
        assert_eq!(attempt().await, 503);
    }
    server.store.trouble.store(0, Ordering::Relaxed);
    assert_eq!(attempt().await, 200);
}

#[tokio::test]
async fn registrations_are_limited_for_each_address() {
    let server = Server::with(&[("REGISTRATIONS_PER_ADDRESS", "1")]).await;
    assert_eq!(
        server
            .post("/api/users/register/", registration().to_string())
            .await
            .status,
        201
    );
    assert_eq!(
        server
            .post("/api/users/register/", registration().to_string())
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
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
    let answer = refresh(&first).await;
    assert_eq!(answer.status, 200);
    let second = answer.json()["refresh"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&second).await.status, 200);
    assert!(server.rooms.revoked.lock().unwrap().is_empty());
    let answer = refresh(&first).await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.code()),
        (401, "session_revoked")
    );
    assert_eq!(
        server.rooms.revoked.lock().unwrap().len(),
        1,
        "its sockets stay open"
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
async fn logging_out_takes_a_refresh_token_of_ones_own() {
    let server = Server::new().await;
    for token in ["x", &server.token()] {
        let answer = server
            .post_as_ann("/api/users/logout/", json!({"refresh": token}).to_string())
            .await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid"));
    }
    let answer = server
        .post(
            "/api/users/logout/",
            json!({"refresh": server.refresh_token(0)}).to_string(),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.code()),
        (401, "not_authenticated")
    );
    assert_eq!(
        server.post_as_ann("/api/users/logout/", "{}").await.status,
        400
    );
}

#[tokio::test]
async fn only_a_genuine_access_token_is_a_bearer() {
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
        let answer = server.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (401, code),
            "{header}"
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
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
