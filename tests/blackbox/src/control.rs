//! The client of the control server, which stops, kills and starts servers for a test.
//!
//! Also the only place where a test is skipped: [`Control::with_capability`] prints what the host
//! lacks.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::environment::variable;

/// The variable that holds the control server's address.
const CONTROL_URL: &str = "COLLOQUY_CONTROL_URL";

/// The services in the order in which each needs those before it; `server` is the server under test.
const SERVICES: [&str; 4] = ["postgres", "redis", "redis-http", "server"];

/// The control server of this host.
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
    http: reqwest::Client,
}

impl Control {
    /// The control server that the environment names.
    pub fn from_env() -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            // The response arrives when the server is killed, started and ready.
            .timeout(Duration::from_mins(2))
            .build()
            .expect("an HTTP client");
        let url = variable(CONTROL_URL).trim_end_matches('/').to_owned();
        Self { url, http }
    }

    /// The control server, if this host has `capability`. Otherwise `None`, and the skipped test is
    /// reported.
    pub async fn with_capability(capability: &str, skipped: &str) -> Option<Self> {
        let control = Self::from_env();
        let info = control.info().await;
        let has = info["capabilities"]
            .as_array()
            .is_some_and(|all| all.iter().any(|name| name == capability));
        if has {
            return Some(control);
        }
        report_skipped(
            skipped,
            &format!("the host {} has no {capability}", info["host"]),
        );
        None
    }

    /// The description of the host: `host`, `base_url`, `capabilities`, `settings`.
    pub async fn info(&self) -> Value {
        let response = self.http.get(&self.url).send().await;
        let response = response.unwrap_or_else(|error| panic!("the control server: {error}"));
        response.json().await.expect("JSON from the control server")
    }

    /// A setting of the server under test, if the host publishes it.
    pub async fn setting(&self, name: &str) -> Option<String> {
        let info = self.info().await;
        info["settings"][name].as_str().map(str::to_owned)
    }

    /// Performs an action on a service, such as `("server", "restart")`, and waits until it is done.
    /// Returns the details, if there are any.
    pub async fn perform(&self, service: &str, action: &str) -> Value {
        let url = format!("{}/{service}/{action}", self.url);
        let response = self.http.post(&url).send().await;
        let response = response.unwrap_or_else(|error| panic!("{service} {action}: {error}"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        assert_eq!(status, 200, "{service} {action}: {text}");
        serde_json::from_str(&text).expect("JSON from the control server")
    }

    /// The resident memory of a service's processes, in bytes.
    pub async fn memory(&self, service: &str) -> u64 {
        let by_process = self.perform(service, "memory").await;
        let by_process = by_process.as_object().expect("memory by process");
        by_process.values().filter_map(Value::as_u64).sum()
    }

    /// Starts every service, in case a failed test has left one stopped.
    pub async fn start_all(&self) {
        let info = self.info().await;
        let capabilities = info["capabilities"].as_array().cloned();
        let capabilities = capabilities.unwrap_or_default();
        for service in SERVICES {
            if capabilities.iter().any(|name| name == service) {
                self.perform(service, "start").await;
            }
        }
    }
}

/// Reports that something is skipped on this host, and why. Written to standard error directly: the
/// test harness discards the captured output of tests that pass.
pub fn report_skipped(what: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {reason}");
}
