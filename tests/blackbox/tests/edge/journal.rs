//! What a server wrote to its log: the only place where it shows that a Room woke.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use colloquy_tests::{Api, Control, Server, eventually, unique};
use reqwest::Method;
use serde_json::Value;

/// An idle Room is put away after ten seconds, and nothing announces it.
const IDLE: Duration = Duration::from_secs(12);

/// How often a Room is left alone before it counts as one that never sleeps: what a busy machine
/// finishes late keeps it awake.
pub(crate) const ATTEMPTS: usize = 4;

/// The log of one server.
pub(crate) struct Journal {
    server: Server,
    file: PathBuf,
}

impl Journal {
    /// The log of this one.
    pub(crate) async fn of(server: &Server) -> Self {
        let info = Control::from_env().info().await;
        let file = info["logs"][server.url("")].as_str().expect("a log");
        Self {
            server: server.clone(),
            file: PathBuf::from(file),
        }
    }

    /// How many lines say this up to now.
    pub(crate) fn count(&self, text: &str) -> usize {
        let log = fs::read_to_string(&self.file).expect("the server's log");
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// The lines that belong to one request and say this.
    pub(crate) fn of_request(&self, id: &str, message: &str) -> Vec<Value> {
        let log = fs::read_to_string(&self.file).expect("the server's log");
        let lines = log.lines().filter(|line| line.contains(id));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["request.id"] == id && line["message"] == message)
            .collect()
    }

    /// Leaves Rooms alone for so long that they are put away.
    pub(crate) async fn idle() {
        tokio::time::sleep(IDLE).await;
    }

    /// How often a conversation's Room has woken up to now, and with how many connections last.
    pub(crate) async fn wakes(&self, conversation: u64) -> (usize, u64) {
        self.caught_up().await;
        let text = fs::read_to_string(&self.file).expect("the server's log");
        let wakes: Vec<Value> = text
            .lines()
            .filter(|line| line.contains("a Room woke"))
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["conversation.id"] == conversation)
            .collect();
        let connections = wakes.last().map_or(0, |wake| {
            wake["connections"]
                .as_u64()
                .expect("a number of connections")
        });
        (wakes.len(), connections)
    }

    /// Waits until all that has happened is in the log: the server writes it in order, so that
    /// is when a request made now is.
    pub(crate) async fn caught_up(&self) {
        let id = unique("r");
        let api = Api::anonymous(&self.server);
        let request = api.request(Method::GET, "/api/users/profile/");
        request
            .header("x-request-id", &id)
            .send()
            .await
            .refused(401, "not_authenticated");
        eventually("the request is in the log", async || {
            let text = fs::read_to_string(&self.file).expect("the server's log");
            text.contains(&id).then_some(())
        })
        .await;
    }
}
