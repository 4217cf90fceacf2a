//! Login: its response, what it does not reveal, and its rate limit.

use colloquy_blackbox::{Account, Api, Response, Server, Tokens, unique};
use serde_json::{Value, json};

const LOGIN: &str = "/api/users/login/";

/// More attempts than any sensible limit.
const MOST_ATTEMPTS: usize = 60;

async fn log_in(username: &str, password: &str) -> Response {
    let api = Api::anonymous(&Server::under_test());
    let fields = json!({"username": username, "password": password});
    api.post(LOGIN, &fields).await
}

#[tokio::test]
async fn login_returns_tokens_and_the_user() {
    let account = Account::new(&Server::under_test()).await;
    let body = log_in(&account.username, &account.password)
        .await
        .expect_status(200);
    assert_eq!(body["user"], account.profile().await.expect_status(200));
    let tokens = Tokens::of(&body);
    assert_ne!(tokens.access, tokens.refresh);
    let api = account.api.with_bearer(&tokens.access);
    assert_eq!(
        api.get("/api/users/profile/").await.expect_status(200)["id"],
        account.id
    );
}

#[tokio::test]
async fn unknown_user_and_wrong_password_get_identical_responses() {
    let account = Account::new(&Server::under_test()).await;
    let mut wrong = log_in(&account.username, "not-the-password").await;
    let mut unknown = log_in(&unique("unknown"), &account.password).await;
    for response in [&mut wrong, &mut unknown] {
        response.expect_error(401, "bad_credentials");
        response.body["request_id"] = Value::Null;
    }
    assert_eq!(wrong.body, unknown.body);
    let names = |response: &Response| {
        let mut names: Vec<String> = response.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&wrong), names(&unknown));
}

#[tokio::test]
async fn passwords_are_compared_exactly() {
    let account = Account::new(&Server::under_test()).await;
    for password in [
        account.password.to_uppercase(),
        format!("{} ", account.password),
        format!("{}\0", account.password),
        account.password[1..].to_owned(),
    ] {
        log_in(&account.username, &password)
            .await
            .expect_error(401, "bad_credentials");
    }
}

#[tokio::test]
async fn login_reports_missing_and_mistyped_fields() {
    let api = Api::anonymous(&Server::under_test());
    let response = api.post(LOGIN, &json!({})).await;
    response.expect_invalid("username");
    response.expect_invalid("password");
    let fields = json!({"username": 7, "password": "x"});
    api.post(LOGIN, &fields)
        .await
        .expect_error(400, "malformed");
    let fields = json!({"username": "x", "password": ["x"]});
    api.post(LOGIN, &fields)
        .await
        .expect_error(400, "malformed");
}

#[tokio::test]
async fn unusual_usernames_are_unknown_users() {
    for username in ["' or 1=1 --", "a\0b", "%", "_", &"x".repeat(10_000), "😀"] {
        let response = log_in(username, "any-password").await;
        assert!(matches!(response.status, 400 | 401), "{response}");
    }
}

#[tokio::test]
async fn oversized_password_is_rejected() {
    let account = Account::new(&Server::under_test()).await;
    let response = log_in(&account.username, &"x".repeat(60_000)).await;
    assert!(matches!(response.status, 400 | 401), "{response}");
}

#[tokio::test]
async fn failed_logins_of_an_account_are_limited() {
    let server = Server::under_test();
    let (account, other) = tokio::join!(Account::new(&server), Account::new(&server));
    let mut attempts = 0;
    let error = loop {
        let response = log_in(&account.username, "not-the-password").await;
        if response.status != 401 {
            break response;
        }
        attempts += 1;
        assert!(
            attempts < MOST_ATTEMPTS,
            "{attempts} attempts without a limit"
        );
    };
    error.expect_error(429, "too_many_attempts");
    assert!(attempts > 1, "no second attempt was allowed");
    // The correct password is refused too: otherwise the limit would reveal it.
    for username in [account.username.clone(), account.username.to_uppercase()] {
        let response = log_in(&username, &account.password).await;
        response.expect_error(429, "too_many_attempts");
    }
    // Other accounts and existing sessions are not affected.
    log_in(&other.username, &other.password)
        .await
        .expect_status(200);
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn successful_logins_are_not_limited() {
    let account = Account::new(&Server::under_test()).await;
    for _ in 0..15 {
        log_in(&account.username, &account.password)
            .await
            .expect_status(200);
    }
}

#[tokio::test]
async fn successful_login_resets_the_failure_count() {
    let account = Account::new(&Server::under_test()).await;
    for _ in 0..8 {
        for _ in 0..2 {
            let response = log_in(&account.username, "not-the-password").await;
            response.expect_error(401, "bad_credentials");
        }
        log_in(&account.username, &account.password)
            .await
            .expect_status(200);
    }
}
