//! Forged cursors. A client may invent a cursor; the database error it would cause must not reach the
//! client.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use colloquy_blackbox::{Group, Server};

const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "2147483648",
    "9007199254740993",
    "253402300799999",
    "253402300800000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e9",
    "+7",
];

/// A cursor is rejected or names a position. Beyond the ends the page is empty or full.
#[tokio::test]
async fn forged_cursors_are_rejected_or_return_a_page() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    account.send_retrying(id, "Hello").await;
    let messages = format!("/api/chat/conversations/{id}/messages/");
    let mut paths = Vec::new();
    for number in NUMBERS {
        for parameter in ["before", "after", "around"] {
            let cursor = URL_SAFE_NO_PAD.encode(number);
            paths.push(format!("{messages}?{parameter}={number}"));
            paths.push(format!("{messages}?{parameter}={cursor}&limit=1"));
        }
        for other in NUMBERS {
            let cursor = URL_SAFE_NO_PAD.encode(format!("{number}.{other}"));
            paths.push(format!("/api/chat/conversations/?cursor={cursor}"));
        }
        paths.push(format!("/api/chat/conversations/{number}/"));
        paths.push(format!("/api/chat/conversations/{number}/messages/"));
    }
    for path in paths {
        let response = account.api.get(&path).await;
        assert!(
            matches!(response.status, 200 | 400 | 403 | 404),
            "{response}"
        );
    }
}
