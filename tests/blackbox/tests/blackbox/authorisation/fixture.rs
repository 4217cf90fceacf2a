//! The accounts, the group and the message that the rows of the table are tried with.

use std::time::Duration;

use colloquy_blackbox::{Account, Api, Group, Response, Server, retry_after, token_payload};
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Caller, MISSING_CONVERSATION, Needs, Row, expected};

/// The accounts and data that the rows need.
pub(super) struct Fixture {
    server: Server,
    conversation: u64,
    /// A message of the creator.
    message: u64,
    creator: Account,
    member: Account,
    removed: Account,
    outsider: Account,
    /// An account whose tokens are unused.
    pub(super) unused: Account,
}

impl Fixture {
    pub(super) async fn new(server: &Server) -> Self {
        Self::of(Account::register_many(server, 5).await).await
    }

    /// The same with an administrator in the place of this caller.
    pub(super) async fn with_administrator(caller: Caller, administrator: Account) -> Self {
        let mut accounts = Account::register_many(administrator.api.server(), 5).await;
        let index = match caller {
            Caller::OtherMember => 1,
            Caller::Removed => 2,
            Caller::Outsider => 3,
            _ => 0,
        };
        accounts[index] = administrator;
        Self::of(accounts).await
    }

    async fn of(accounts: Vec<Account>) -> Self {
        let server = accounts[0].api.server().clone();
        let [creator, member, removed, outsider, unused] =
            <[Account; 5]>::try_from(accounts).expect("five accounts");
        // With a new token: on some servers they expire soon.
        let creator = creator.log_in().await;
        let members = vec![creator.clone(), member.clone(), removed.clone()];
        let conversation = Group::with_members(members).await.id;
        let message = creator.send_retrying(conversation, "Hello").await;
        let response = creator.remove_member(conversation, removed.id).await;
        assert_eq!(response.status, 204, "{response}");
        Self {
            server,
            conversation,
            message: message["id"].as_u64().expect("an id"),
            creator,
            member,
            removed,
            outsider,
            unused,
        }
    }

    /// The account of a caller and the token it sends.
    pub(super) async fn caller(&self, caller: Caller) -> (Account, Option<String>) {
        let account = match caller {
            Caller::Outsider => self.outsider.clone(),
            Caller::Removed => self.removed.clone(),
            Caller::OtherMember => self.member.clone(),
            Caller::Revoked => self.creator.log_in().await,
            _ => self.creator.clone(),
        };
        let access = account.tokens.access.clone();
        let token = match caller {
            Caller::Anonymous => None,
            Caller::MalformedToken => Some("garbage".to_owned()),
            Caller::RefreshToken => Some(account.tokens.refresh.clone()),
            Caller::Outsider
            | Caller::Removed
            | Caller::OtherMember
            | Caller::WrongConversation
            | Caller::Creator => Some(access),
            Caller::Revoked => {
                account.log_out().await.expect_status(205);
                Some(access)
            }
            Caller::Expired => {
                wait_for_expiry(&access).await;
                Some(access)
            }
        };
        (account, token)
    }

    pub(super) async fn check(
        &self,
        row: &Row,
        caller: Caller,
        (account, token): &(Account, Option<String>),
    ) {
        let id = if caller == Caller::WrongConversation {
            MISSING_CONVERSATION
        } else {
            self.conversation
        };
        let path = row.path.replace("{id}", &id.to_string());
        let path = path.replace("{message_id}", &self.message.to_string());
        let path = path.replace("{user_id}", &self.unused.id.to_string());
        let expected = expected(row.needs, caller, row.success);
        let name = format!("{} {} by {caller:?}", row.method, row.path);
        if row.needs == Needs::Socket {
            let token = token.as_deref().unwrap_or_default();
            let opening = account.socket(id).token(token).v2();
            if expected.0 == row.success {
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
        let response = request(&self.server, row, &path, token.as_deref(), &body).await;
        let code = response.body["code"].as_str().unwrap_or_default();
        assert_eq!((response.status, code), expected, "{name}: {response}");
        // An unauthorised caller does not learn whether the body is valid.
        if expected.0 == 401 && row.method != "GET" && caller != Caller::Revoked {
            let response = request(&self.server, row, &path, token.as_deref(), &json!([7])).await;
            assert_eq!(
                (response.status, response.body["code"].as_str()),
                (401, Some(expected.1)),
                "{name}, wrong body: {response}"
            );
        }
    }
}

async fn request(
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
        let response = if body.is_null() {
            request.send().await
        } else {
            request.json(body).send().await
        };
        // The creator has just sent a message.
        if response.body["code"] != "throttled" {
            return response;
        }
        tokio::time::sleep(retry_after(&response.body)).await;
    }
}

/// Waits until a token has expired.
async fn wait_for_expiry(token: &str) {
    let expiry = token_payload(token)["exp"].as_i64().expect("an expiry");
    let expiry = OffsetDateTime::from_unix_timestamp(expiry).expect("a time");
    let left = expiry - OffsetDateTime::now_utc();
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}
