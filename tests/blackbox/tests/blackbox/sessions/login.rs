//! Logging in: what it answers, what it keeps to itself, and how often it may be tried.

use colloquy_blackbox::{Account, Api, Response, Server, Tokens, unique};
use serde_json::{Value, json};

const LOGIN: &str = "/api/users/login/";

/// Beyond any sensible number of attempts that an account is allowed.
const MOST_ATTEMPTS: usize = 60;

async fn log_in(username: &str, password: &str) -> Response {
    let api = Api::anonymous(&Server::under_test());
    let fields = json!({"username": username, "password": password});
    api.post(LOGIN, &fields).await
}

#[tokio::test]
async fn a_login_answers_tokens_and_the_user() {
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
async fn an_unknown_user_and_a_wrong_password_are_told_alike() {
    let account = Account::new(&Server::under_test()).await;
    let mut wrong = log_in(&account.username, "not-the-password").await;
    let mut unknown = log_in(&unique("nobody"), &account.password).await;
    for answer in [&mut wrong, &mut unknown] {
        answer.expect_error(401, "bad_credentials");
        answer.body["request_id"] = Value::Null;
    }
    assert_eq!(wrong.body, unknown.body);
    let names = |answer: &Response| {
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&wrong), names(&unknown));
}

#[tokio::test]
async fn the_password_is_exact() {
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
async fn what_is_missing_is_named_and_what_is_mistyped_is_malformed() {
    let api = Api::anonymous(&Server::under_test());
    let answer = api.post(LOGIN, &json!({})).await;
    answer.expect_invalid("username");
    answer.expect_invalid("password");
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
async fn odd_usernames_are_unknown_users() {
    for username in ["' or 1=1 --", "a\0b", "%", "_", &"x".repeat(10_000), "😀"] {
        let answer = log_in(username, "whatever-it-is").await;
        assert!(matches!(answer.status, 400 | 401), "{answer}");
    }
}

#[tokio::test]
async fn an_enormous_password_is_refused_and_costs_nothing() {
    let account = Account::new(&Server::under_test()).await;
    let answer = log_in(&account.username, &"x".repeat(60_000)).await;
    assert!(matches!(answer.status, 400 | 401), "{answer}");
}

#[tokio::test]
async fn an_account_allows_so_many_attempts_and_no_more() {
    let server = Server::under_test();
    let (account, other) = tokio::join!(Account::new(&server), Account::new(&server));
    let mut attempts = 0;
    let refusal = loop {
        let answer = log_in(&account.username, "not-the-password").await;
        if answer.status != 401 {
            break answer;
        }
        attempts += 1;
        assert!(attempts < MOST_ATTEMPTS, "{attempts} attempts, no end");
    };
    refusal.expect_error(429, "too_many_attempts");
    assert!(attempts > 1, "no second attempt was allowed");
    // Not even the right password, in any case of the name: else the limit tells which it is.
    for username in [account.username.clone(), account.username.to_uppercase()] {
        let answer = log_in(&username, &account.password).await;
        answer.expect_error(429, "too_many_attempts");
    }
    // Others, and the sessions that stand, are not concerned.
    log_in(&other.username, &other.password)
        .await
        .expect_status(200);
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn logging_in_often_is_not_trying_often() {
    let account = Account::new(&Server::under_test()).await;
    for _ in 0..15 {
        log_in(&account.username, &account.password)
            .await
            .expect_status(200);
    }
}

#[tokio::test]
async fn a_login_that_is_right_forgives_those_that_were_not() {
    let account = Account::new(&Server::under_test()).await;
    for _ in 0..8 {
        for _ in 0..2 {
            let answer = log_in(&account.username, "not-the-password").await;
            answer.expect_error(401, "bad_credentials");
        }
        log_in(&account.username, &account.password)
            .await
            .expect_status(200);
    }
}
