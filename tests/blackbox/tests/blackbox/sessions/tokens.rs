//! Sessions: refresh, logout and the immediate effect of a revocation.

use colloquy_blackbox::{Account, Api, Group, Server, Tokens, token_payload};
use futures_util::future::join_all;
use serde_json::json;

const REFRESH: &str = "/api/users/token/refresh/";

/// The account with these tokens.
fn with_tokens(account: &Account, tokens: Tokens) -> Account {
    let mut account = account.clone();
    account.api = account.api.with_bearer(&tokens.access);
    account.tokens = tokens;
    account
}

#[tokio::test]
async fn refresh_replaces_both_tokens() {
    let account = Account::new(&Server::under_test()).await;
    let fresh = Tokens::of(&account.refresh().await.expect_status(200));
    assert_ne!(fresh.refresh, account.tokens.refresh);
    let account = with_tokens(&account, fresh);
    account.profile().await.expect_status(200);
    let third = with_tokens(
        &account,
        Tokens::of(&account.refresh().await.expect_status(200)),
    );
    third.profile().await.expect_status(200);
}

#[tokio::test]
async fn access_token_stays_valid_after_a_refresh() {
    // A request in flight must not fail because another tab has refreshed.
    let account = Account::new(&Server::under_test()).await;
    account.refresh().await.expect_status(200);
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn reused_refresh_token_revokes_the_session_at_once() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let second = with_tokens(
        &account,
        Tokens::of(&account.refresh().await.expect_status(200)),
    );
    // From now on the first token cannot be repeated any more.
    let fresh = with_tokens(
        &second,
        Tokens::of(&second.refresh().await.expect_status(200)),
    );
    let mut open = fresh.socket(id).v2().open().await;
    let mut older = account.socket(id).open().await;
    account.refresh().await.expect_error(401, "session_revoked");
    for session in [&account, &fresh] {
        session.profile().await.expect_error(401, "session_revoked");
        session.refresh().await.expect_error(401, "session_revoked");
        assert_eq!(session.socket(id).expect_refusal().await.code, 4401);
    }
    assert_eq!(open.expect_close().await.code, 4401);
    assert_eq!(older.expect_close().await.code, 4401);
}

#[tokio::test]
async fn concurrent_refreshes_return_the_same_pair() {
    // As two tabs do that share their tokens.
    let account = Account::new(&Server::under_test()).await;
    let responses = join_all((0..4).map(|_| account.refresh())).await;
    let tabs: Vec<Account> = responses
        .into_iter()
        .map(|response| with_tokens(&account, Tokens::of(&response.expect_status(200))))
        .collect();
    for tab in &tabs {
        assert_eq!(tab.tokens, tabs[0].tokens);
    }
    tabs[0].profile().await.expect_status(200);
    // Each tab goes on with its copy.
    let next = join_all(tabs.iter().map(Account::refresh)).await;
    let next: Vec<Tokens> = next
        .into_iter()
        .map(|response| Tokens::of(&response.expect_status(200)))
        .collect();
    assert_ne!(next[0].refresh, tabs[0].tokens.refresh);
    assert!(next.iter().all(|tokens| *tokens == next[0]), "{next:?}");
}

#[tokio::test]
async fn refresh_with_a_lost_response_is_repeated() {
    let account = Account::new(&Server::under_test()).await;
    let lost = Tokens::of(&account.refresh().await.expect_status(200));
    let repeated = with_tokens(
        &account,
        Tokens::of(&account.refresh().await.expect_status(200)),
    );
    assert_eq!(repeated.tokens, lost);
    repeated.profile().await.expect_status(200);
    repeated.refresh().await.expect_status(200);
}

#[tokio::test]
async fn logout_ends_the_grace_of_a_refresh() {
    let account = Account::new(&Server::under_test()).await;
    let fresh = with_tokens(
        &account,
        Tokens::of(&account.refresh().await.expect_status(200)),
    );
    fresh.log_out().await.expect_status(205);
    account.refresh().await.expect_error(401, "session_revoked");
}

#[tokio::test]
async fn logout_revokes_this_session_only() {
    let (phone, friend, id) = Group::pair(&Server::under_test()).await;
    let laptop = phone.log_in().await;
    let mut phone_sockets = [
        phone.socket(id).open().await,
        phone.socket(id).v2().open().await,
    ];
    let mut laptop_socket = laptop.socket(id).v2().open().await;
    let response = phone.log_out().await;
    assert_eq!(
        (response.status, response.text.as_str()),
        (205, ""),
        "{response}"
    );
    for socket in &mut phone_sockets {
        assert_eq!(socket.expect_close().await.code, 4401);
    }
    phone.profile().await.expect_error(401, "session_revoked");
    phone.refresh().await.expect_error(401, "session_revoked");
    assert_eq!(phone.socket(id).expect_refusal().await.code, 4401);
    // The other session is not affected, and neither is its socket.
    laptop.profile().await.expect_status(200);
    friend.send_retrying(id, "still there?").await;
    laptop_socket.expect_message("still there?").await;
    let sent = laptop_socket.send_message("yes").await;
    laptop_socket.expect_ack(&sent).await;
    laptop.refresh().await.expect_status(200);
}

#[tokio::test]
async fn nothing_is_delivered_or_sent_after_a_logout() {
    let (revoked, friend, id) = Group::pair(&Server::under_test()).await;
    let mut socket = revoked.socket(id).v2().open().await;
    revoked.log_out().await.expect_status(205);
    let refused = revoked.send(id, "late", "too late").await;
    refused.expect_error(401, "session_revoked");
    friend.send_retrying(id, "after the logout").await;
    assert_eq!(socket.expect_close().await.code, 4401);
    assert!(socket.received().is_empty(), "{:?}", socket.received());
    let history = friend.history(id).await;
    assert_eq!(history.len(), 1, "{history:?}");
}

#[tokio::test]
async fn logout_requires_both_tokens() {
    let account = Account::new(&Server::under_test()).await;
    let anonymous = Api::anonymous(account.api.server());
    let fields = json!({"refresh": account.tokens.refresh});
    let response = anonymous.post("/api/users/logout/", &fields).await;
    response.expect_error(401, "not_authenticated");
    account
        .api
        .post("/api/users/logout/", &json!({}))
        .await
        .expect_invalid("refresh");
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn logout_rejects_the_refresh_token_of_another_user() {
    let server = Server::under_test();
    let (victim, attacker) = tokio::join!(Account::new(&server), Account::new(&server));
    let fields = json!({"refresh": victim.tokens.refresh});
    let response = attacker.api.post("/api/users/logout/", &fields).await;
    assert_eq!(response.status, 400, "{response}");
    victim.profile().await.expect_status(200);
}

#[tokio::test]
async fn access_and_refresh_tokens_are_not_interchangeable() {
    let account = Account::new(&Server::under_test()).await;
    let api = account.api.with_bearer(&account.tokens.refresh);
    let response = api.get("/api/users/profile/").await;
    response.expect_error(401, "token_invalid");
    let fields = json!({"refresh": account.tokens.access});
    account
        .api
        .post(REFRESH, &fields)
        .await
        .expect_error(401, "token_invalid");
    // The session is still valid.
    account.profile().await.expect_status(200);
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn refresh_requires_a_text() {
    let api = Api::anonymous(&Server::under_test());
    api.post(REFRESH, &json!({}))
        .await
        .expect_invalid("refresh");
    api.post(REFRESH, &json!({"refresh": 7}))
        .await
        .expect_error(400, "malformed");
    let response = api.post(REFRESH, &json!({"refresh": "nonsense"})).await;
    response.expect_error(401, "token_invalid");
}

#[tokio::test]
async fn tokens_contain_no_private_data() {
    let account = Account::new(&Server::under_test()).await;
    for token in [&account.tokens.access, &account.tokens.refresh] {
        let text = token_payload(token).to_string();
        for private in [&account.email, &account.password] {
            assert!(!text.contains(private.as_str()), "{text}");
        }
    }
}
