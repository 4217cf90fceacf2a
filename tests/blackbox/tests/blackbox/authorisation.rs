//! The authorisation table: every route × every kind of caller.
//!
//! The rows are compared with the OpenAPI description, so a new route without a row fails here.
//! `cargo xtask check` allows no route outside the description except those in [`UNDESCRIBED`],
//! which have rows too. To add a route, add a row to [`TABLE`].

mod fixture;

use std::collections::BTreeSet;

use colloquy_blackbox::{Account, OpenApi, Server, report_skipped, unique};
use serde_json::{Value, json};

use fixture::Fixture;

/// A conversation that does not exist.
const MISSING_CONVERSATION: u64 = 999_999_999_999;

/// What a route requires of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: tokens are ignored.
    Nothing,
    /// A valid session.
    Session,
    /// A session of a member of the conversation in the path.
    Membership,
    /// A session of the author of the message in the path.
    Authorship,
    /// A session of the creator of the group, for requests about another member.
    Ownership,
    /// Membership, reported by close codes.
    Socket,
    /// Nothing; a proxy in front of the server may respond.
    File,
}

/// A route with a request that fails only because of its caller.
struct Row {
    method: &'static str,
    path: &'static str,
    needs: Needs,
    /// The status for an authorised caller.
    success: u16,
    body: fn(&Fixture, &Account) -> Value,
}

const fn row(
    method: &'static str,
    path: &'static str,
    needs: Needs,
    success: u16,
    body: fn(&Fixture, &Account) -> Value,
) -> Row {
    Row {
        method,
        path,
        needs,
        success,
        body,
    }
}

fn no_body(_: &Fixture, _: &Account) -> Value {
    Value::Null
}

const CONVERSATIONS: &str = "/api/chat/conversations/";
const CONVERSATION: &str = "/api/chat/conversations/{id}/";
const MESSAGES: &str = "/api/chat/conversations/{id}/messages/";

const MESSAGE: &str = "/api/chat/conversations/{id}/messages/{message_id}/";
const MEMBERS: &str = "/api/chat/conversations/{id}/members/";
const MEMBER: &str = "/api/chat/conversations/{id}/members/{user_id}/";

/// Routes outside the OpenAPI description: files, which a platform may serve itself.
const UNDESCRIBED: [(&str, &str); 1] = [("GET", "/robots.txt")];

const TABLE: [Row; 23] = [
    row(
        "POST",
        "/api/users/register/",
        Needs::Nothing,
        201,
        |_, _| Account::registration(),
    ),
    row(
        "POST",
        "/api/users/login/",
        Needs::Nothing,
        200,
        |_, caller| json!({"username": caller.username, "password": caller.password}),
    ),
    // Its credential is in the body; see the separate test below.
    row(
        "POST",
        "/api/users/token/refresh/",
        Needs::Nothing,
        200,
        |fixture, _| json!({"refresh": fixture.unused.tokens.refresh}),
    ),
    row(
        "POST",
        "/api/users/logout/",
        Needs::Session,
        205,
        |_, caller| json!({"refresh": caller.tokens.refresh}),
    ),
    row("GET", "/api/users/profile/", Needs::Session, 200, no_body),
    row(
        "POST",
        CONVERSATIONS,
        Needs::Session,
        201,
        |fixture, _| json!({"participants": [fixture.unused.id], "name": unique("group")}),
    ),
    row("GET", CONVERSATIONS, Needs::Session, 200, no_body),
    row("GET", CONVERSATION, Needs::Membership, 200, no_body),
    row("GET", MESSAGES, Needs::Membership, 200, no_body),
    row(
        "POST",
        MESSAGES,
        Needs::Membership,
        201,
        |_, _| json!({"message": "Hello"}),
    ),
    row(
        "PATCH",
        MESSAGE,
        Needs::Authorship,
        200,
        |_, _| json!({"message": "Hello again"}),
    ),
    row("DELETE", MESSAGE, Needs::Authorship, 204, no_body),
    row("GET", MEMBERS, Needs::Membership, 200, no_body),
    row(
        "POST",
        MEMBERS,
        Needs::Membership,
        201,
        |fixture, _| json!({"user_id": fixture.unused.id}),
    ),
    row("DELETE", MEMBER, Needs::Ownership, 204, no_body),
    row("GET", "/ws/chat/{id}/", Needs::Socket, 101, no_body),
    row("GET", "/health/", Needs::Nothing, 200, no_body),
    row("GET", "/health/live/", Needs::Nothing, 200, no_body),
    row("GET", "/health/ready/", Needs::Nothing, 200, no_body),
    row("GET", "/api/config/", Needs::Nothing, 200, no_body),
    row("GET", "/api/openapi.json", Needs::Nothing, 200, no_body),
    row("GET", "/api/asyncapi.json", Needs::Nothing, 200, no_body),
    row("GET", "/robots.txt", Needs::File, 200, no_body),
];

/// A kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a token.
    Anonymous,
    /// With a malformed token.
    MalformedToken,
    /// With a refresh token as the access token.
    RefreshToken,
    /// With a revoked session.
    Revoked,
    /// With an expired access token.
    Expired,
    /// Not a member.
    Outsider,
    /// A member that has just been removed.
    Removed,
    /// A member that is neither the creator of the group nor the author of the message.
    OtherMember,
    /// A member, for a conversation that does not exist.
    WrongConversation,
    /// The creator of the group and author of the message.
    Creator,
}

/// The expected status and error code, or the close code alone.
fn expected(needs: Needs, caller: Caller, success: u16) -> (u16, &'static str) {
    use Caller::{
        Anonymous, Creator, Expired, MalformedToken, OtherMember, Outsider, RefreshToken, Removed,
        Revoked, WrongConversation,
    };
    match (needs, caller) {
        (Needs::Nothing | Needs::File, _)
        | (_, Creator)
        | (Needs::Session, Outsider | Removed | OtherMember | WrongConversation)
        | (Needs::Socket | Needs::Membership, OtherMember) => (success, ""),
        (Needs::Socket, Anonymous | MalformedToken | RefreshToken | Revoked) => (4401, ""),
        (Needs::Socket, Expired) => (4200, ""),
        (Needs::Socket, Outsider | Removed) => (4403, ""),
        (Needs::Socket, WrongConversation) => (4404, ""),
        (_, Anonymous) => (401, "not_authenticated"),
        (_, MalformedToken | RefreshToken) => (401, "token_invalid"),
        (_, Revoked) => (401, "session_revoked"),
        (_, Expired) => (401, "token_expired"),
        (_, Outsider | Removed) => (403, "not_member"),
        (_, OtherMember) => (403, "forbidden"),
        (_, WrongConversation) => (404, "not_found"),
    }
}

async fn check_all(server: &Server, caller: Caller) {
    check_fixture(&Fixture::new(server).await, caller).await;
}

/// Administrators have no additional rights on any route of this table.
async fn check_administrator(caller: Caller) {
    let skipped = format!("an administrator as {caller:?} on every route");
    if let Some(administrator) = Account::administrator(&skipped).await {
        let fixture = Fixture::with_administrator(caller, administrator).await;
        check_fixture(&fixture, caller).await;
    }
}

async fn check_fixture(fixture: &Fixture, caller: Caller) {
    let credentials = fixture.caller(caller).await;
    // The row that revokes the session of the caller is last.
    let (last, others): (Vec<&Row>, Vec<&Row>) =
        TABLE.iter().partition(|row| row.path.contains("logout"));
    for row in others.into_iter().chain(last) {
        fixture.check(row, caller, &credentials).await;
    }
}

#[tokio::test]
async fn every_route_has_a_row() {
    let description = OpenApi::of(&Server::under_test()).await;
    let mut routes: BTreeSet<(String, String)> = description.operations().into_iter().collect();
    routes.extend(UNDESCRIBED.map(|(method, path)| (method.to_owned(), path.to_owned())));
    let rows = TABLE
        .iter()
        .map(|row| (row.method.to_owned(), row.path.to_owned()));
    assert_eq!(
        routes,
        rows.collect(),
        "left: the routes of the server, right: the rows of this table"
    );
}

#[tokio::test]
async fn anonymous_callers_reach_public_routes_only() {
    check_all(&Server::under_test(), Caller::Anonymous).await;
}

#[tokio::test]
async fn malformed_tokens_are_rejected_on_every_route() {
    check_all(&Server::under_test(), Caller::MalformedToken).await;
}

#[tokio::test]
async fn refresh_tokens_are_rejected_as_access_tokens() {
    check_all(&Server::under_test(), Caller::RefreshToken).await;
}

#[tokio::test]
async fn revoked_sessions_are_rejected_on_every_route() {
    check_all(&Server::under_test(), Caller::Revoked).await;
}

#[tokio::test]
async fn expired_tokens_are_rejected_on_every_route() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "expired tokens on every route",
            "the host offers no server with short-lived tokens",
        );
        return;
    };
    check_all(&server, Caller::Expired).await;
}

#[tokio::test]
async fn non_members_are_refused_conversation_routes() {
    check_all(&Server::under_test(), Caller::Outsider).await;
}

#[tokio::test]
async fn removed_members_have_the_rights_of_non_members() {
    check_all(&Server::under_test(), Caller::Removed).await;
}

#[tokio::test]
async fn members_are_refused_what_belongs_to_others() {
    check_all(&Server::under_test(), Caller::OtherMember).await;
}

#[tokio::test]
async fn missing_conversations_are_not_found() {
    check_all(&Server::under_test(), Caller::WrongConversation).await;
}

#[tokio::test]
async fn creator_and_author_may_use_every_route() {
    check_all(&Server::under_test(), Caller::Creator).await;
}

#[tokio::test]
async fn administrators_outside_a_conversation_have_the_rights_of_non_members() {
    check_administrator(Caller::Outsider).await;
}

#[tokio::test]
async fn removed_administrators_have_the_rights_of_removed_members() {
    check_administrator(Caller::Removed).await;
}

#[tokio::test]
async fn administrators_among_members_have_the_rights_of_members() {
    check_administrator(Caller::OtherMember).await;
}

#[tokio::test]
async fn administrators_may_use_what_belongs_to_them() {
    check_administrator(Caller::Creator).await;
}

/// A refresh token is the only credential of the refresh route.
#[tokio::test]
async fn only_refresh_tokens_of_active_sessions_are_exchanged() {
    let account = Account::new(&Server::under_test()).await;
    let revoked = account.log_in().await;
    revoked.log_out().await.expect_status(205);
    for (name, token, code) in [
        ("a malformed token", "garbage", "token_invalid"),
        ("an access token", &account.tokens.access, "token_invalid"),
        (
            "a refresh token of a revoked session",
            &revoked.tokens.refresh,
            "session_revoked",
        ),
    ] {
        let body = json!({"refresh": token});
        let response = account.api.post("/api/users/token/refresh/", &body).await;
        assert_eq!(
            (response.status, response.body["code"].as_str()),
            (401, Some(code)),
            "{name}: {response}"
        );
    }
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn sessions_are_revoked_by_their_own_user_only() {
    let server = Server::under_test();
    let (account, outsider, administrator) = tokio::join!(
        Account::new(&server),
        Account::new(&server),
        Account::administrator("an administrator that revokes the session of another user"),
    );
    let body = json!({"refresh": account.tokens.refresh});
    for other in [Some(outsider), administrator].into_iter().flatten() {
        let response = other.api.post("/api/users/logout/", &body).await;
        assert_eq!(response.status, 400, "{response}");
    }
    account.profile().await.expect_status(200);
    account.refresh().await.expect_status(200);
}
