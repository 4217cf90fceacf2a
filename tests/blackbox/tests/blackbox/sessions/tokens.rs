//! Sessions: refreshing, ending, and what happens at once when one is revoked.

use colloquy_blackbox::{Account, Api, Group, Server, Tokens, token_payload};
use futures_util::future::join_all;
use serde_json::json;

const REFRESH: &str = "/api/users/token/refresh/";

/// The account with the tokens of a refresh.
fn with_tokens(account: &Account, tokens: Tokens) -> Account {
    let mut account = account.clone();
    account.api = account.api.with_bearer(&tokens.access);
    account.tokens = tokens;
    account
}

#[tokio::test]
async fn refreshing_exchanges_both_tokens() {
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
async fn an_access_token_outlives_the_refresh_that_replaced_it() {
    // The session stands; a request on its way must not fail because another tab refreshed.
    let account = Account::new(&Server::under_test()).await;
    account.refresh().await.expect_status(200);
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn a_refresh_token_used_twice_revokes_its_session_everywhere_at_once() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let fresh = with_tokens(
        &account,
        Tokens::of(&account.refresh().await.expect_status(200)),
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
async fn of_refreshes_at_once_at_most_one_wins_and_the_session_ends() {
    let account = Account::new(&Server::under_test()).await;
    let answers = join_all((0..4).map(|_| account.refresh())).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(won <= 1, "{won} of four got new tokens");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.expect_error(401, "session_revoked");
    }
    account.profile().await.expect_error(401, "session_revoked");
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() {
    let (phone, friend, id) = Group::pair(&Server::under_test()).await;
    let laptop = phone.log_in().await;
    let mut phone_sockets = [
        phone.socket(id).open().await,
        phone.socket(id).v2().open().await,
    ];
    let mut laptop_socket = laptop.socket(id).v2().open().await;
    let answer = phone.log_out().await;
    assert_eq!((answer.status, answer.text.as_str()), (205, ""), "{answer}");
    for socket in &mut phone_sockets {
        assert_eq!(socket.expect_close().await.code, 4401);
    }
    phone.profile().await.expect_error(401, "session_revoked");
    phone.refresh().await.expect_error(401, "session_revoked");
    assert_eq!(phone.socket(id).expect_refusal().await.code, 4401);
    // The other login goes on as if nothing had happened, its socket included.
    laptop.profile().await.expect_status(200);
    friend.send_retrying(id, "still there?").await;
    laptop_socket.expect_message("still there?").await;
    let sent = laptop_socket.send_message("yes").await;
    laptop_socket.expect_ack(&sent).await;
    laptop.refresh().await.expect_status(200);
}

#[tokio::test]
async fn nothing_is_heard_or_sent_after_a_logout() {
    let (gone, friend, id) = Group::pair(&Server::under_test()).await;
    let mut socket = gone.socket(id).v2().open().await;
    gone.log_out().await.expect_status(205);
    let refused = gone.send(id, "late", "too late").await;
    refused.expect_error(401, "session_revoked");
    friend.send_retrying(id, "for other ears").await;
    assert_eq!(socket.expect_close().await.code, 4401);
    assert!(socket.received().is_empty(), "{:?}", socket.received());
    let history = friend.history(id).await;
    assert_eq!(history.len(), 1, "{history:?}");
}

#[tokio::test]
async fn logging_out_needs_both_tokens() {
    let account = Account::new(&Server::under_test()).await;
    let anonymous = Api::anonymous(account.api.server());
    let fields = json!({"refresh": account.tokens.refresh});
    let answer = anonymous.post("/api/users/logout/", &fields).await;
    answer.expect_error(401, "not_authenticated");
    account
        .api
        .post("/api/users/logout/", &json!({}))
        .await
        .expect_invalid("refresh");
    account.profile().await.expect_status(200);
}

#[tokio::test]
async fn nobody_logs_out_another() {
    let server = Server::under_test();
    let (victim, attacker) = tokio::join!(Account::new(&server), Account::new(&server));
    let fields = json!({"refresh": victim.tokens.refresh});
    let answer = attacker.api.post("/api/users/logout/", &fields).await;
    assert_eq!(answer.status, 400, "{answer}");
    victim.profile().await.expect_status(200);
}

#[tokio::test]
async fn the_two_kinds_of_token_do_not_stand_in_for_each_other() {
    let account = Account::new(&Server::under_test()).await;
    let api = account.api.with_bearer(&account.tokens.refresh);
    let answer = api.get("/api/users/profile/").await;
    answer.expect_error(401, "token_invalid");
    let fields = json!({"refresh": account.tokens.access});
    account
        .api
        .post(REFRESH, &fields)
        .await
        .expect_error(401, "token_invalid");
    // Neither mistake cost the session anything.
    account.profile().await.expect_status(200);
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn refreshing_takes_a_text_and_nothing_else() {
    let api = Api::anonymous(&Server::under_test());
    api.post(REFRESH, &json!({}))
        .await
        .expect_invalid("refresh");
    api.post(REFRESH, &json!({"refresh": 7}))
        .await
        .expect_error(400, "malformed");
    let answer = api.post(REFRESH, &json!({"refresh": "nonsense"})).await;
    answer.expect_error(401, "token_invalid");
}

#[tokio::test]
async fn tokens_hold_nothing_private() {
    let account = Account::new(&Server::under_test()).await;
    for token in [&account.tokens.access, &account.tokens.refresh] {
        let text = token_payload(token).to_string();
        for private in [&account.email, &account.password] {
            assert!(!text.contains(private.as_str()), "{text}");
        }
    }
}
