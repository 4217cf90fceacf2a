//! Forged and expired tokens.

use colloquy_blackbox::{
    Account, Api, Group, Received, Server, Tokens, forged_tokens, report_skipped, timestamp,
};
use serde_json::json;
use time::OffsetDateTime;

#[tokio::test]
async fn forged_access_tokens_are_rejected() {
    let account = Account::new(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.access) {
        let response = account
            .api
            .with_bearer(&token)
            .get("/api/users/profile/")
            .await;
        assert_eq!(response.status, 401, "{name}: {response}");
        let code = response.body["code"].as_str().unwrap_or_default();
        assert!(
            matches!(code, "token_invalid" | "not_authenticated"),
            "{name}: {response}"
        );
    }
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn forged_refresh_tokens_are_rejected() {
    let account = Account::new(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.refresh) {
        let fields = json!({"refresh": token});
        let response = account.api.post("/api/users/token/refresh/", &fields).await;
        assert!(matches!(response.status, 400 | 401), "{name}: {response}");
    }
    // A forged token must not count as a reuse, which would revoke the session.
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn forged_tokens_open_no_socket() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.access) {
        let close = account.socket(id).token(&token).expect_refusal().await;
        assert_eq!(close.code, 4401, "{name}: {close:?}");
    }
}

#[tokio::test]
async fn only_the_bearer_scheme_is_accepted() {
    let account = Account::new(&Server::under_test()).await;
    let anonymous = Api::anonymous(account.api.server());
    let access = &account.tokens.access;
    for value in [
        access.clone(),
        format!("Basic {access}"),
        format!("Token {access}"),
        "Bearer".to_owned(),
        format!("Bearer {access} {access}"),
        format!("Bearer{access}"),
    ] {
        let request = anonymous.request(reqwest::Method::GET, "/api/users/profile/");
        let response = request.header("authorization", &value).send().await;
        assert_eq!(response.status, 401, "{value}: {response}");
    }
    let path = format!("/api/users/profile/?token={access}");
    let response = anonymous.get(&path).await;
    response.expect_error(401, "not_authenticated");
}

#[tokio::test]
async fn access_token_expires_at_the_announced_time() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "the expiry of an access token",
            "the host offers no server with short-lived tokens",
        );
        return;
    };
    let (account, _, id) = Group::pair(&server).await;
    let mut v1 = account.socket(id).open().await;
    let mut socket = account.socket(id).v2().open().await;
    let expires = timestamp(&socket.hello()["token_expires_at"]);
    // Less than a minute is left, so the warning is immediate. The close is at the announced time.
    let warning = socket.expect_frame("auth.expiring").await;
    assert!(
        warning["in_s"].as_i64().is_some_and(|left| left <= 60),
        "{warning}"
    );
    let limit = expires - OffsetDateTime::now_utc() + time::Duration::seconds(10);
    let limit = limit.try_into().expect("a token that has not expired");
    match socket.receive(limit).await {
        Received::Closed(close) => assert_eq!(close.code, 4200),
        other => panic!("expected a close at the expiry, got {other:?}"),
    }
    // A v1 socket is closed too, without the warning, which is a v2 frame.
    assert_eq!(v1.expect_close().await.code, 4200);
    assert!(v1.received().is_empty(), "{:?}", v1.received());
    account.profile().await.expect_error(401, "token_expired");
    assert_eq!(account.socket(id).expect_refusal().await.code, 4200);
}

#[tokio::test]
async fn newer_token_keeps_a_socket_open() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "a socket that outlives its first token",
            "the host offers no server with short-lived tokens",
        );
        return;
    };
    let (account, friend, id) = Group::pair(&server).await;
    let mut socket = account.socket(id).v2().open().await;
    let first = timestamp(&socket.hello()["token_expires_at"]);
    let mut tokens = account.tokens.clone();
    let mut expires = first;
    // Renew at half of each token's lifetime, until the first token has expired.
    while OffsetDateTime::now_utc() <= first {
        let half: time::Duration = (expires - OffsetDateTime::now_utc()) / 2;
        match socket.receive(half.try_into().unwrap_or_default()).await {
            Received::TimedOut => {}
            Received::Frame(frame) if frame["type"] == "auth.expiring" => continue,
            other => panic!("{other:?}"),
        }
        let fields = json!({"refresh": tokens.refresh});
        let path = "/api/users/token/refresh/";
        tokens = Tokens::of(&account.api.post(path, &fields).await.expect_status(200));
        socket
            .send(&json!({"type": "auth", "token": tokens.access}))
            .await;
        let accepted = socket
            .find("auth.ok", |frame| frame["type"] == "auth.ok")
            .await;
        let next = timestamp(&accepted["token_expires_at"]);
        assert!(next > expires, "{accepted}");
        expires = next;
    }
    let friend = friend.log_in().await;
    friend.send_retrying(id, "still connected").await;
    socket
        .find("the message", |frame| frame["message"] == "still connected")
        .await;
}
