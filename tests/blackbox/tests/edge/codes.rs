//! Close codes as a client sees them that is none of ours: the `ws` package in Node.js.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use colloquy_tests::{Account, Group, Server};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::undisturbed;

/// The sockets of one client, in the terms of `npm/closes.mjs`.
struct Client {
    process: Child,
    lines: UnboundedReceiver<Value>,
}

impl Client {
    fn start(sockets: &Value) -> Self {
        let mut process = Command::new("node")
            .args(["closes.mjs", &sockets.to_string()])
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
        let patience = 3 * colloquy_tests::PATIENCE;
        let line = tokio::time::timeout(patience, self.lines.recv()).await;
        line.expect("every socket ends")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One socket, its token brought as a browser's page would.
fn socket(name: &str, account: &Account, id: u64, then: &str) -> Value {
    let url = account.api.server().socket_url(&format!("/ws/chat/{id}/"));
    let bearer = format!("bearer.{}", account.tokens.access);
    json!({"name": name, "url": url, "protocols": ["chat.v2", bearer], "then": then})
}

#[tokio::test]
async fn each_end_is_told_by_its_code() {
    let _undisturbed = undisturbed().await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let (phone, stranger) = (
        account.log_in().await,
        Account::new(&Server::under_test()).await,
    );
    let short = Server::short_tokens()
        .await
        .expect("a server with short tokens");
    let (fleeting, _, elsewhere) = Group::pair(&short).await;
    let mut nobody = socket("no token", &account, id, "");
    nobody["protocols"] = json!(["chat.v2"]);
    let mut sockets = vec![
        nobody,
        socket("stranger", &stranger, id, ""),
        socket("no such conversation", &account, 999_999_999_999, ""),
        socket("logged out", &phone, id, ""),
        socket("binary", &account, id, "binary"),
        socket("too large", &account, id, "large"),
        socket("flood", &account, id, "flood"),
        socket("expired", &fleeting, elsewhere, ""),
    ];
    let mut places = Vec::new();
    for _ in 0..20 {
        places.push(other.socket(id).open().await);
    }
    sockets.push(socket("one too many", &other, id, ""));
    let mut client = Client::start(&json!(sockets));
    let mut ends = BTreeMap::new();
    while let Some(line) = client.next().await {
        let name = line["name"].as_str().expect("a name").to_owned();
        match line["event"].as_str() {
            Some("open") if name == "logged out" => drop(phone.log_out().await.expect(205)),
            Some("close") => drop(ends.insert(name, line["code"].as_u64().expect("a code"))),
            Some("error") => panic!("{line}"),
            _ => {}
        }
    }
    let expected = [
        ("no token", 4401),
        ("stranger", 4403),
        ("no such conversation", 4404),
        ("logged out", 4401),
        ("binary", 4400),
        ("too large", 4413),
        ("flood", 4100),
        ("expired", 4200),
        ("one too many", 4409),
    ];
    let expected = expected.map(|(name, code)| (name.to_owned(), code));
    assert_eq!(ends, BTreeMap::from(expected));
}
