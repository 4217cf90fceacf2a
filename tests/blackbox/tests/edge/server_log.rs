//! A server's log, the only place that shows when the runtime restored a Room.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use colloquy_blackbox::{Api, Control, Server, eventually, unique};
use reqwest::Method;
use serde_json::Value;

/// The runtime hibernates an idle Room after ten seconds, without any sign of it.
const IDLE: Duration = Duration::from_secs(12);

/// How many idle periods a Room gets to hibernate: late work of a busy machine keeps it awake.
pub(crate) const ATTEMPTS: usize = 4;

/// The log line of a restored Room.
const RESTORED: &str = "room restored from its sockets";

/// The log of one server.
pub(crate) struct ServerLog {
    server: Server,
    file: PathBuf,
}

impl ServerLog {
    /// The log of this server.
    pub(crate) async fn of(server: &Server) -> Self {
        let info = Control::from_env().info().await;
        let file = info["logs"][server.url("")].as_str().expect("a log");
        Self {
            server: server.clone(),
            file: PathBuf::from(file),
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("the server's log")
    }

    /// How many lines contain this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let log = self.text();
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// The lines of one request with this message.
    pub(crate) fn lines_of_request(&self, request_id: &str, message: &str) -> Vec<Value> {
        let log = self.text();
        let lines = log.lines().filter(|line| line.contains(request_id));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["request.id"] == request_id && line["message"] == message)
            .collect()
    }

    /// Waits long enough for idle Rooms to hibernate.
    pub(crate) async fn wait_until_idle() {
        tokio::time::sleep(IDLE).await;
    }

    /// How often the conversation's Room has been restored, and its connections at the last time.
    pub(crate) async fn restores(&self, conversation_id: u64) -> (usize, u64) {
        self.wait_until_flushed().await;
        let text = self.text();
        let restores: Vec<Value> = text
            .lines()
            .filter(|line| line.contains(RESTORED))
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["conversation.id"] == conversation_id)
            .collect();
        let connections = restores.last().map_or(0, |restore| {
            restore["connections"]
                .as_u64()
                .expect("a number of connections")
        });
        (restores.len(), connections)
    }

    /// Waits until everything that has happened is in the log. The server writes it in order, so
    /// that is when the log has a request made now.
    pub(crate) async fn wait_until_flushed(&self) {
        let id = unique("r");
        let api = Api::anonymous(&self.server);
        let request = api.request(Method::GET, "/api/users/profile/");
        request
            .header("x-request-id", &id)
            .send()
            .await
            .expect_error(401, "not_authenticated");
        eventually("the request is in the log", async || {
            self.text().contains(&id).then_some(())
        })
        .await;
    }
}
