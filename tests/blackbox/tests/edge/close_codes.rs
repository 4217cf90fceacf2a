//! Close codes as received by an independent client: the `ws` package in Node.js.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use colloquy_blackbox::{Account, Group, Server};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::without_restarts;

/// A running `npm/close_codes.mjs`.
struct Client {
    process: Child,
    lines: UnboundedReceiver<Value>,
}

impl Client {
    fn start(sockets: &Value) -> Self {
        let mut process = Command::new("node")
            .args(["close_codes.mjs", &sockets.to_string()])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/npm"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let output = process.stdout.take().expect("its output");
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("JSON");
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    async fn next(&mut self) -> Option<Value> {
        let limit = 3 * colloquy_blackbox::TIMEOUT;
        let line = tokio::time::timeout(limit, self.lines.recv()).await;
        line.expect("every socket is closed")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One socket with its token in the subprotocol, as in a browser.
fn socket(name: &str, account: &Account, id: u64, then: &str) -> Value {
    let url = account.api.server().socket_url(&format!("/ws/chat/{id}/"));
    let bearer = format!("bearer.{}", account.tokens.access);
    json!({"name": name, "url": url, "protocols": ["chat.v2", bearer], "then": then})
}

#[tokio::test]
async fn each_reason_to_close_has_its_code() {
    let _no_restarts = without_restarts().await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let (phone, outsider) = (
        account.log_in().await,
        Account::new(&Server::under_test()).await,
    );
    let short = Server::short_tokens()
        .await
        .expect("a server with short tokens");
    let (short_lived, _, other_id) = Group::pair(&short).await;
    let mut without_token = socket("no token", &account, id, "");
    without_token["protocols"] = json!(["chat.v2"]);
    let mut sockets = vec![
        without_token,
        socket("not a member", &outsider, id, ""),
        socket("no such conversation", &account, 999_999_999_999, ""),
        socket("logged out", &phone, id, ""),
        socket("binary", &account, id, "binary"),
        socket("too large", &account, id, "large"),
        socket("flood", &account, id, "flood"),
        socket("expired", &short_lived, other_id, ""),
    ];
    let mut open_sockets = Vec::new();
    for _ in 0..20 {
        open_sockets.push(other.socket(id).open().await);
    }
    sockets.push(socket("one too many", &other, id, ""));
    let mut client = Client::start(&json!(sockets));
    let mut codes = BTreeMap::new();
    while let Some(line) = client.next().await {
        let name = line["name"].as_str().expect("a name").to_owned();
        match line["event"].as_str() {
            Some("open") if name == "logged out" => drop(phone.log_out().await.expect_status(205)),
            Some("close") => drop(codes.insert(name, line["code"].as_u64().expect("a code"))),
            Some("error") => panic!("{line}"),
            _ => {}
        }
    }
    let expected = [
        ("no token", 4401),
        ("not a member", 4403),
        ("no such conversation", 4404),
        ("logged out", 4401),
        ("binary", 4400),
        ("too large", 4413),
        ("flood", 4100),
        ("expired", 4200),
        ("one too many", 4409),
    ];
    let expected = expected.map(|(name, code)| (name.to_owned(), code));
    assert_eq!(codes, BTreeMap::from(expected));
}
