//! The internal RPC between the Worker and its objects is not reachable from outside.

use colloquy_blackbox::{Api, Group, Server, TokenIn, send_raw, unique};
use reqwest::Method;
use serde_json::json;

use crate::without_restarts;

/// The paths of the objects and their internal host name.
const PATHS: [&str; 8] = [
    "/open",
    "/send",
    "/changed",
    "/revoke",
    "/enter",
    "/end",
    "/charge",
    "/give-back",
];
const OBJECT: &str = "object.invalid";

/// Carries an admission from the Worker to the Room.
const GRANT: &str = "x-colloquy-grant";

/// What makes a request an opening handshake (RFC 6455 §4.1).
const UPGRADE: &str = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An admission as the Worker writes it.
fn grant(user_id: u64) -> String {
    json!({
        "user_id": user_id, "session_id": unique("session"), "expires_at": 4_000_000_000_000_u64,
        "v2": true, "epoch": "0123456789abcdef", "seq": 0, "number": 0,
        "left_seq": 0,
    })
    .to_string()
}

#[tokio::test]
async fn internal_paths_are_not_found() {
    let _no_restarts = without_restarts().await;
    let server = Server::under_test();
    let (account, _, id) = Group::pair(&server).await;
    for api in [Api::anonymous(&server), account.api.clone()] {
        for path in PATHS {
            for method in [Method::GET, Method::POST] {
                let request = api.request(method, path).header(GRANT, &grant(account.id));
                let response = request.json(&json!({"conversation_id": id})).send().await;
                response.expect_error(404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn internal_host_name_is_not_routed() {
    let _no_restarts = without_restarts().await;
    let for_some_hosts = Server::under_test();
    // Not even on a server for any host.
    let for_any_host = Server::short_tokens().await.expect("a server for any host");
    for (server, expected) in [(for_some_hosts, 400), (for_any_host, 404)] {
        for path in PATHS {
            for headers in ["Connection: close\r\n", UPGRADE] {
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {OBJECT}\r\n{GRANT}: {}\r\n{headers}\r\n",
                    grant(1)
                );
                let response = send_raw(&server, request.as_bytes())
                    .await
                    .expect("a response");
                assert_eq!(response.status, expected, "{path}: {response:?}");
            }
        }
    }
}

#[tokio::test]
async fn forged_admission_header_is_ignored() {
    let _no_restarts = without_restarts().await;
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let outsider = &Group::pair(&server).await.0;
    let granted = grant(other.id);
    // Without a token or as a non-member: refused as without the header.
    for (opening, code) in [
        (account.socket(id).token_in(TokenIn::Nowhere), 4401),
        (outsider.socket(id), 4403),
    ] {
        let close = opening.header(GRANT, &granted).expect_refusal().await;
        assert_eq!(close.code, code, "{close:?}");
    }
    // As a member: the identity comes from the token, not from the header.
    let opening = account.socket(id).v2().header(GRANT, &granted);
    let mut socket = opening.open().await;
    assert_eq!(socket.hello()["user_id"], account.id);
    assert_ne!(socket.epoch(), "0123456789abcdef");
    let key = socket.send_message("as myself").await;
    socket.expect_ack(&key).await;
    let received = socket
        .find("the message", |frame| frame["type"] == "message")
        .await;
    assert_eq!(received["sender_id"], account.id);
}
