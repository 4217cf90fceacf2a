//! What a Worker and its objects say to each other is nobody else's to say.

use colloquy_tests::{Api, Group, Manner, Server, raw, unique};
use reqwest::Method;
use serde_json::json;

use crate::undisturbed;

/// The paths of the objects, and the name they are asked under.
const PATHS: [&str; 5] = ["/open", "/send", "/revoke", "/enter", "/end"];
const OBJECT: &str = "object.invalid";

/// Carries what the Worker found out about a socket to the Room.
const GRANT: &str = "x-colloquy-grant";

/// What makes a request an opening handshake (RFC 6455 §4.1).
const UPGRADE: &str = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A grant as a Worker would write it.
fn grant(user_id: u64) -> String {
    json!({
        "user_id": user_id, "session_id": unique("session"), "expires_at": 4_000_000_000_000_u64,
        "v2": true, "epoch": "0123456789abcdef", "seq": 0, "number": 0,
    })
    .to_string()
}

#[tokio::test]
async fn their_paths_lead_nowhere() {
    let _undisturbed = undisturbed().await;
    let server = Server::under_test();
    let (account, _, id) = Group::pair(&server).await;
    for api in [Api::anonymous(&server), account.api.clone()] {
        for path in PATHS {
            for method in [Method::GET, Method::POST] {
                let request = api.request(method, path).header(GRANT, &grant(account.id));
                let answer = request.json(&json!({"conversation_id": id})).send().await;
                answer.refused(404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn their_name_leads_nowhere() {
    let _undisturbed = undisturbed().await;
    let kept_to_names = Server::under_test();
    // A server for every name: the name is no way in there either.
    let for_all_names = Server::short_tokens().await.expect("a server for any host");
    for (server, expected) in [(kept_to_names, 400), (for_all_names, 404)] {
        for path in PATHS {
            for headers in ["Connection: close\r\n", UPGRADE] {
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {OBJECT}\r\n{GRANT}: {}\r\n{headers}\r\n",
                    grant(1)
                );
                let answer = raw(&server, request.as_bytes()).await.expect("an answer");
                assert_eq!(answer.status, expected, "{path}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_grant_from_outside_grants_nothing() {
    let _undisturbed = undisturbed().await;
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let stranger = &Group::pair(&server).await.0;
    let granted = grant(other.id);
    // Without a token, with a stranger's: refused as without the header.
    for (opening, code) in [
        (account.socket(id).by(Manner::Nothing), 4401),
        (stranger.socket(id), 4403),
    ] {
        let close = opening.header(GRANT, &granted).refused().await;
        assert_eq!(close.code, code, "{close:?}");
    }
    // With an honest one: who and where one is says the token, not the header.
    let opening = account.socket(id).v2().header(GRANT, &granted);
    let mut socket = opening.open().await;
    assert_eq!(socket.hello()["user_id"], account.id);
    assert_ne!(socket.epoch(), "0123456789abcdef");
    let key = socket.say("as myself").await;
    socket.ack(&key).await;
    let heard = socket
        .find("the message", |frame| frame["type"] == "message")
        .await;
    assert_eq!(heard["sender_id"], account.id);
}
