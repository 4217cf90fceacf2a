//! Who may do what: every route there is, with every kind of caller there is.
//!
//! The rows are held against the server's own description, so that a new route without a row fails
//! here; `cargo xtask check` sees to it that no other route is outside the description than those
//! named [`UNDESCRIBED`], which have rows as well.

use std::collections::BTreeSet;
use std::time::Duration;

use colloquy_blackbox::{
    Account, Api, Group, OpenApi, Response, Server, report_skipped, retry_after, token_payload,
    unique,
};
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A conversation that does not exist.
const MISSING_ID: u64 = 999_999_999_999;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: a token that is brought is not even looked at.
    Nothing,
    /// A login.
    Login,
    /// A login of a member of the conversation in the path.
    Membership,
    /// The same, of the one who wrote the message in the path.
    Authorship,
    /// The same, of the one who made the group, when it is about somebody else.
    Ownership,
    /// Membership, told by close codes.
    Socket,
    /// Nothing, and what answers may be something in front of the server.
    File,
}

/// A route, and a request to it that is refused for its caller alone.
struct Row {
    method: &'static str,
    path: &'static str,
    needs: Needs,
    /// What a caller gets who may.
    granted: u16,
    body: fn(&Scene, &Account) -> Value,
}

const fn row(
    method: &'static str,
    path: &'static str,
    needs: Needs,
    granted: u16,
    body: fn(&Scene, &Account) -> Value,
) -> Row {
    Row {
        method,
        path,
        needs,
        granted,
        body,
    }
}

fn no_body(_: &Scene, _: &Account) -> Value {
    Value::Null
}

const CONVERSATIONS: &str = "/api/chat/conversations/";
const CONVERSATION: &str = "/api/chat/conversations/{id}/";
const MESSAGES: &str = "/api/chat/conversations/{id}/messages/";

const MESSAGE: &str = "/api/chat/conversations/{id}/messages/{message_id}/";
const MEMBERS: &str = "/api/chat/conversations/{id}/members/";
const MEMBER: &str = "/api/chat/conversations/{id}/members/{user_id}/";

/// Routes that no description names: files, which a platform may serve in the server's place.
const UNDESCRIBED: [(&str, &str); 1] = [("GET", "/robots.txt")];

const TABLE: [Row; 20] = [
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
    // What it needs is in its body; see the test of its own below.
    row(
        "POST",
        "/api/users/token/refresh/",
        Needs::Nothing,
        200,
        |scene, _| json!({"refresh": scene.fresh.tokens.refresh}),
    ),
    row(
        "POST",
        "/api/users/logout/",
        Needs::Login,
        205,
        |_, caller| json!({"refresh": caller.tokens.refresh}),
    ),
    row("GET", "/api/users/profile/", Needs::Login, 200, no_body),
    row(
        "POST",
        CONVERSATIONS,
        Needs::Login,
        201,
        |scene, _| json!({"participants": [scene.fresh.id], "name": unique("group")}),
    ),
    row("GET", CONVERSATIONS, Needs::Login, 200, no_body),
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
    row(
        "POST",
        MEMBERS,
        Needs::Membership,
        201,
        |scene, _| json!({"user_id": scene.fresh.id}),
    ),
    row("DELETE", MEMBER, Needs::Ownership, 204, no_body),
    row("GET", "/ws/chat/{id}/", Needs::Socket, 101, no_body),
    row("GET", "/health/", Needs::Nothing, 200, no_body),
    row("GET", "/health/live/", Needs::Nothing, 200, no_body),
    row("GET", "/health/ready/", Needs::Nothing, 200, no_body),
    row("GET", "/api/openapi.json", Needs::Nothing, 200, no_body),
    row("GET", "/robots.txt", Needs::File, 200, no_body),
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a token.
    Nobody,
    /// With a text that is no token.
    Garbage,
    /// With a refresh token where an access token belongs.
    RefreshToken,
    /// By a login that was ended.
    Revoked,
    /// By a login whose access token ran out.
    Expired,
    /// Somebody else.
    Outsider,
    /// Somebody who was a member until a moment ago.
    Removed,
    /// A member who neither made the group nor wrote the message.
    Fellow,
    /// A member, asking for what is not there.
    Lost,
    /// The member who did both.
    Member,
}

/// What a route answers to a caller: a status and a code, or a close code alone.
fn expected(needs: Needs, caller: Caller, granted: u16) -> (u16, &'static str) {
    use Caller::{
        Expired, Fellow, Garbage, Lost, Member, Nobody, Outsider, RefreshToken, Removed, Revoked,
    };
    match (needs, caller) {
        (Needs::Nothing | Needs::File, _)
        | (_, Member)
        | (Needs::Login, Outsider | Removed | Fellow | Lost)
        | (Needs::Socket | Needs::Membership, Fellow) => (granted, ""),
        (Needs::Socket, Nobody | Garbage | RefreshToken | Revoked) => (4401, ""),
        (Needs::Socket, Expired) => (4200, ""),
        (Needs::Socket, Outsider | Removed) => (4403, ""),
        (Needs::Socket, Lost) => (4404, ""),
        (_, Nobody) => (401, "not_authenticated"),
        (_, Garbage | RefreshToken) => (401, "token_invalid"),
        (_, Revoked) => (401, "session_revoked"),
        (_, Expired) => (401, "token_expired"),
        (_, Outsider | Removed) => (403, "not_member"),
        (_, Fellow) => (403, "forbidden"),
        (_, Lost) => (404, "not_found"),
    }
}

/// Everybody who takes part in one row.
struct Scene {
    server: Server,
    conversation: u64,
    /// A message of the member's.
    message: u64,
    member: Account,
    fellow: Account,
    removed: Account,
    outsider: Account,
    /// Somebody whose tokens nobody has used.
    fresh: Account,
}

impl Scene {
    async fn new(server: &Server) -> Self {
        Self::of(Account::register_many(server, 5).await).await
    }

    /// The same, where who asks as this caller has the administrator's mark.
    async fn with_administrator(caller: Caller, administrator: Account) -> Self {
        let mut people = Account::register_many(administrator.api.server(), 5).await;
        let seat = match caller {
            Caller::Fellow => 1,
            Caller::Removed => 2,
            Caller::Outsider => 3,
            _ => 0,
        };
        people[seat] = administrator;
        Self::of(people).await
    }

    async fn of(people: Vec<Account>) -> Self {
        let server = people[0].api.server().clone();
        let [member, fellow, removed, outsider, fresh] =
            <[Account; 5]>::try_from(people).expect("as many as were asked for");
        // With a token as new as can be: on some servers they end soon.
        let member = member.log_in().await;
        let members = vec![member.clone(), fellow.clone(), removed.clone()];
        let conversation = Group::with_members(members).await.id;
        let message = member.send_retrying(conversation, "Hello").await;
        let answer = member.remove_member(conversation, removed.id).await;
        assert_eq!(answer.status, 204, "{answer}");
        Self {
            server,
            conversation,
            message: message["id"].as_u64().expect("an id"),
            member,
            fellow,
            removed,
            outsider,
            fresh,
        }
    }

    /// The caller, with the token that is brought; none for nobody.
    async fn caller(&self, caller: Caller) -> (Account, Option<String>) {
        let account = match caller {
            Caller::Outsider => self.outsider.clone(),
            Caller::Removed => self.removed.clone(),
            Caller::Fellow => self.fellow.clone(),
            Caller::Revoked => self.member.log_in().await,
            _ => self.member.clone(),
        };
        let access = account.tokens.access.clone();
        let token = match caller {
            Caller::Nobody => None,
            Caller::Garbage => Some("garbage".to_owned()),
            Caller::RefreshToken => Some(account.tokens.refresh.clone()),
            Caller::Outsider | Caller::Removed | Caller::Fellow | Caller::Lost | Caller::Member => {
                Some(access)
            }
            Caller::Revoked => {
                account.log_out().await.expect_status(205);
                Some(access)
            }
            Caller::Expired => {
                outlive(&access).await;
                Some(access)
            }
        };
        (account, token)
    }

    async fn check(&self, row: &Row, caller: Caller, (account, token): &(Account, Option<String>)) {
        let id = if caller == Caller::Lost {
            MISSING_ID
        } else {
            self.conversation
        };
        let path = row.path.replace("{id}", &id.to_string());
        let path = path.replace("{message_id}", &self.message.to_string());
        let path = path.replace("{user_id}", &self.fresh.id.to_string());
        let expected = expected(row.needs, caller, row.granted);
        let name = format!("{} {} by {caller:?}", row.method, row.path);
        if row.needs == Needs::Socket {
            let token = token.as_deref().unwrap_or_default();
            let opening = account.socket(id).token(token).v2();
            if expected.0 == row.granted {
                opening.open().await;
            } else {
                assert_eq!(opening.expect_refusal().await.code, expected.0, "{name}");
            }
            return;
        }
        if row.needs == Needs::File {
            let api = Api::anonymous(&self.server);
            let api = token
                .as_ref()
                .map_or(api.clone(), |token| api.with_bearer(token));
            let status = api.request(Method::GET, &path).attempt_unchecked().await;
            assert_eq!(status, Some(expected.0), "{name}");
            return;
        }
        let body = (row.body)(self, account);
        let answer = ask(&self.server, row, &path, token.as_deref(), &body).await;
        let code = answer.body["code"].as_str().unwrap_or_default();
        assert_eq!((answer.status, code), expected, "{name}: {answer}");
        // Who may not ask learns nothing of what is wrong with the question.
        if expected.0 == 401 && row.method != "GET" && caller != Caller::Revoked {
            let answer = ask(&self.server, row, &path, token.as_deref(), &json!([7])).await;
            assert_eq!(
                (answer.status, answer.body["code"].as_str()),
                (401, Some(expected.1)),
                "{name}, wrong body: {answer}"
            );
        }
    }
}

async fn ask(
    server: &Server,
    row: &Row,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Response {
    let api = Api::anonymous(server);
    let api = token.map_or_else(|| api.clone(), |token| api.with_bearer(token));
    let method = Method::from_bytes(row.method.as_bytes()).expect("a method");
    loop {
        let request = api.request(method.clone(), path);
        let answer = if body.is_null() {
            request.send().await
        } else {
            request.json(body).send().await
        };
        // The member has sent a message a moment ago.
        if answer.body["code"] != "throttled" {
            return answer;
        }
        tokio::time::sleep(retry_after(&answer.body)).await;
    }
}

/// Waits for the time a token names as its end.
async fn outlive(token: &str) {
    let ends = token_payload(token)["exp"].as_i64().expect("an end");
    let ends = OffsetDateTime::from_unix_timestamp(ends).expect("a time");
    let left = ends - OffsetDateTime::now_utc();
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}

async fn check_all(server: &Server, caller: Caller) {
    check_scene(&Scene::new(server).await, caller).await;
}

/// The administrator's mark opens no route of this table: who has it is answered like anybody in
/// the same place.
async fn check_administrator(caller: Caller) {
    let left_out = format!("an administrator as {caller:?} on every route");
    if let Some(administrator) = Account::administrator(&left_out).await {
        let scene = Scene::with_administrator(caller, administrator).await;
        check_scene(&scene, caller).await;
    }
}

async fn check_scene(scene: &Scene, caller: Caller) {
    let who = scene.caller(caller).await;
    // The one row that ends the login it is tried with comes last.
    let (last, others): (Vec<&Row>, Vec<&Row>) =
        TABLE.iter().partition(|row| row.path.contains("logout"));
    for row in others.into_iter().chain(last) {
        scene.check(row, caller, &who).await;
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
        "left: the routes there are; right: the rows of this table"
    );
}

#[tokio::test]
async fn without_a_token_only_what_is_open_answers() {
    check_all(&Server::under_test(), Caller::Nobody).await;
}

#[tokio::test]
async fn a_text_that_is_no_token_opens_nothing() {
    check_all(&Server::under_test(), Caller::Garbage).await;
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    check_all(&Server::under_test(), Caller::RefreshToken).await;
}

#[tokio::test]
async fn a_login_that_was_ended_opens_nothing() {
    check_all(&Server::under_test(), Caller::Revoked).await;
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let Some(server) = Server::short_tokens().await else {
        report_skipped(
            "expired tokens on every route",
            "the host offers no server whose tokens end soon",
        );
        return;
    };
    check_all(&server, Caller::Expired).await;
}

#[tokio::test]
async fn a_stranger_has_what_is_not_the_conversations() {
    check_all(&Server::under_test(), Caller::Outsider).await;
}

#[tokio::test]
async fn a_removed_member_has_what_a_stranger_has() {
    check_all(&Server::under_test(), Caller::Removed).await;
}

#[tokio::test]
async fn a_fellow_member_has_all_but_what_is_anothers() {
    check_all(&Server::under_test(), Caller::Fellow).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_anyone() {
    check_all(&Server::under_test(), Caller::Lost).await;
}

#[tokio::test]
async fn a_member_has_it_all() {
    check_all(&Server::under_test(), Caller::Member).await;
}

#[tokio::test]
async fn an_administrator_has_no_more_than_a_stranger_has() {
    check_administrator(Caller::Outsider).await;
}

#[tokio::test]
async fn an_administrator_who_was_removed_has_no_more_than_others_who_were() {
    check_administrator(Caller::Removed).await;
}

#[tokio::test]
async fn an_administrator_among_members_has_nothing_that_is_anothers() {
    check_administrator(Caller::Fellow).await;
}

#[tokio::test]
async fn an_administrator_has_what_is_the_administrators_own() {
    check_administrator(Caller::Member).await;
}

/// A refresh token is a credential of its own, and the only one the exchange takes.
#[tokio::test]
async fn only_a_refresh_token_of_a_login_that_stands_is_exchanged() {
    let account = Account::new(&Server::under_test()).await;
    let ended = account.log_in().await;
    ended.log_out().await.expect_status(205);
    for (name, token, code) in [
        ("garbage", "garbage", "token_invalid"),
        ("an access token", &account.tokens.access, "token_invalid"),
        (
            "one of an ended login",
            &ended.tokens.refresh,
            "session_revoked",
        ),
    ] {
        let body = json!({"refresh": token});
        let answer = account.api.post("/api/users/token/refresh/", &body).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (401, Some(code)),
            "{name}: {answer}"
        );
    }
    account.refresh().await.expect_status(200);
}

/// Nobody ends another's login.
#[tokio::test]
async fn a_login_is_ended_by_its_own_user_alone() {
    let server = Server::under_test();
    let (account, outsider, administrator) = tokio::join!(
        Account::new(&server),
        Account::new(&server),
        Account::administrator("an administrator who ends another's login"),
    );
    let body = json!({"refresh": account.tokens.refresh});
    for other in [Some(outsider), administrator].into_iter().flatten() {
        let answer = other.api.post("/api/users/logout/", &body).await;
        assert_eq!(answer.status, 400, "{answer}");
    }
    account.profile().await.expect_status(200);
    account.refresh().await.expect_status(200);
}
