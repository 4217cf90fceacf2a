//! The control server: how a test stops, kills and starts what it cannot reach as a user.
//!
//! Also the only place where a test may be left out: [`Control::with`] says what a host lacks,
//! and says it aloud.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::server::variable;

/// The variable that holds the control server's address.
const CONTROL_URL: &str = "COLLOQUY_CONTROL_URL";

/// Everything that can be killed and started; `server` is the server under test itself.
const SERVICES: [&str; 4] = ["postgres", "redis", "redis-http", "server"];

/// The control server of this host.
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
    http: reqwest::Client,
}

impl Control {
    /// The one the environment names.
    pub fn from_env() -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            // A server is killed, started and waited for before the answer comes.
            .timeout(Duration::from_mins(2))
            .build()
            .expect("an HTTP client");
        let url = variable(CONTROL_URL).trim_end_matches('/').to_owned();
        Self { url, http }
    }

    /// The control server, if this host has `capability`; else `None` after telling what is left
    /// out. The only way to leave a test out.
    pub async fn with(capability: &str, left_out: &str) -> Option<Self> {
        let control = Self::from_env();
        let info = control.info().await;
        let has = info["capabilities"]
            .as_array()
            .is_some_and(|all| all.iter().any(|name| name == capability));
        if has {
            return Some(control);
        }
        skipped(
            left_out,
            &format!("the host {} has no {capability}", info["host"]),
        );
        None
    }

    /// What the host says of itself: `host`, `base_url`, `capabilities`, `settings`.
    pub async fn info(&self) -> Value {
        let answer = self.http.get(&self.url).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("the control server: {error}"));
        answer.json().await.expect("JSON from the control server")
    }

    /// A setting of the server under test, as the host shows it.
    pub async fn setting(&self, name: &str) -> Option<String> {
        let info = self.info().await;
        info["settings"][name].as_str().map(str::to_owned)
    }

    /// Does something to a service and waits until it is done: `("server", "restart")`. Answers
    /// what there is to know of it.
    pub async fn act(&self, service: &str, action: &str) -> Value {
        let url = format!("{}/{service}/{action}", self.url);
        let answer = self.http.post(&url).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{service} {action}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        assert_eq!(status, 200, "{service} {action}: {text}");
        serde_json::from_str(&text).expect("JSON from the control server")
    }

    /// Starts whatever a failed test may have left dead, so that it does not fail the next one.
    pub async fn start_everything(&self) {
        let info = self.info().await;
        let capabilities = info["capabilities"].as_array().cloned();
        let capabilities = capabilities.unwrap_or_default();
        // In the order in which each needs those before it.
        for service in SERVICES {
            if capabilities.iter().any(|name| name == service) {
                self.act(service, "start").await;
            }
        }
    }
}

/// Records that something is left out on this host, and why. Written past the test harness, which
/// would swallow it as the output of a test that passed.
pub fn skipped(what: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {reason}");
}
