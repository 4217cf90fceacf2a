//! Cursors and numbers that no page ever gave out. A cursor is opaque, but nothing keeps a client
//! from making one up; what a database says of it must not be what the client hears.

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

/// A cursor is refused or it is a place; a place beyond everything has an empty page or a full one.
#[tokio::test]
async fn made_up_cursors_are_refused_or_answered() {
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
        let answer = account.api.get(&path).await;
        assert!(matches!(answer.status, 200 | 400 | 403 | 404), "{answer}");
    }
}
