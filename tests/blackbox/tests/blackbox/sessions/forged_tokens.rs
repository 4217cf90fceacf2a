//! Tokens that were not made by the server, and tokens whose time is over.

use colloquy_blackbox::{
    Account, Api, Group, Received, Server, Tokens, forged_tokens, report_skipped, timestamp,
};
use serde_json::json;
use time::OffsetDateTime;

#[tokio::test]
async fn no_forged_access_token_is_believed() {
    let account = Account::new(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.access) {
        let answer = account
            .api
            .with_bearer(&token)
            .get("/api/users/profile/")
            .await;
        assert_eq!(answer.status, 401, "{name}: {answer}");
        let code = answer.body["code"].as_str().unwrap_or_default();
        assert!(
            matches!(code, "token_invalid" | "not_authenticated"),
            "{name}: {answer}"
        );
    }
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn no_forged_refresh_token_is_believed() {
    let account = Account::new(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.refresh) {
        let fields = json!({"refresh": token});
        let answer = account.api.post("/api/users/token/refresh/", &fields).await;
        assert!(matches!(answer.status, 400 | 401), "{name}: {answer}");
    }
    // A forgery must not pass for a second use and so end the session.
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn no_forged_token_opens_a_socket() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for (name, token) in forged_tokens(&account.tokens.access) {
        let close = account.socket(id).token(&token).expect_refusal().await;
        assert_eq!(close.code, 4401, "{name}: {close:?}");
    }
}

#[tokio::test]
async fn only_the_bearer_scheme_is_taken() {
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
        let answer = request.header("authorization", &value).send().await;
        assert_eq!(answer.status, 401, "{value}: {answer}");
    }
    let path = format!("/api/users/profile/?token={access}");
    let answer = anonymous.get(&path).await;
    answer.expect_error(401, "not_authenticated");
}

#[tokio::test]
async fn an_access_token_ends_when_it_says() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "the end of an access token",
            "the host offers no server whose tokens end soon",
        );
        return;
    };
    let (account, _, id) = Group::pair(&server).await;
    let mut v1 = account.socket(id).open().await;
    let mut socket = account.socket(id).v2().open().await;
    let ends = timestamp(&socket.hello()["token_expires_at"]);
    // Less than a minute is left, so the warning comes at once; the end when it was promised.
    let warning = socket.expect_frame("auth.expiring").await;
    assert!(
        warning["in_s"].as_i64().is_some_and(|left| left <= 60),
        "{warning}"
    );
    let patience = ends - OffsetDateTime::now_utc() + time::Duration::seconds(10);
    let patience = patience.try_into().expect("a token that has not ended");
    match socket.receive(patience).await {
        Received::Closed(close) => assert_eq!(close.code, 4200),
        other => panic!("the token ended and the socket did not: {other:?}"),
    }
    // A v1 socket is closed alike, and was not warned in a frame it would not know.
    assert_eq!(v1.expect_close().await.code, 4200);
    assert!(v1.received().is_empty(), "{:?}", v1.received());
    account.profile().await.expect_error(401, "token_expired");
    assert_eq!(account.socket(id).expect_refusal().await.code, 4200);
}

#[tokio::test]
async fn a_fresher_token_keeps_a_socket_open() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "a socket that outlives its first token",
            "the host offers no server whose tokens end soon",
        );
        return;
    };
    let (account, friend, id) = Group::pair(&server).await;
    let mut socket = account.socket(id).v2().open().await;
    let first = timestamp(&socket.hello()["token_expires_at"]);
    let mut tokens = account.tokens.clone();
    let mut ends = first;
    // Bring a fresher one in the middle of each token's life, until the first is over.
    while OffsetDateTime::now_utc() <= first {
        let half: time::Duration = (ends - OffsetDateTime::now_utc()) / 2;
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
        let taken = socket
            .find("auth.ok", |frame| frame["type"] == "auth.ok")
            .await;
        let next = timestamp(&taken["token_expires_at"]);
        assert!(next > ends, "{taken}");
        ends = next;
    }
    let friend = friend.log_in().await;
    friend.send_retrying(id, "still connected").await;
    socket
        .find("the message", |frame| frame["message"] == "still connected")
        .await;
}
