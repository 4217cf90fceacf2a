//! The client of the control server, which kills, freezes and starts servers. Its requests are
//! described in `tests/README.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The environment variable with the address of the control server.
const URL: &str = "COLLOQUY_CONTROL_URL";

/// A request is answered when the server is killed, started and ready.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// The names of the two chat servers: in control requests, and in the description.
const SERVERS: [(&str, &str); 2] = [
    ("server", "base_url"),
    ("torture-throttled", "throttled_base_url"),
];

#[derive(Clone)]
pub(crate) struct Control {
    url: String,
    http: reqwest::Client,
}

/// The description of the host by the control server.
pub(crate) struct Description {
    pub(crate) host: String,
    pub(crate) capabilities: Vec<String>,
    /// The ports of the chat servers: first the one without a throttle, then the one with, if it
    /// runs.
    pub(crate) ports: Vec<u16>,
}

impl Control {
    /// The control server named by the environment.
    pub(crate) fn from_env() -> Result<Self> {
        let url = std::env::var(URL).with_context(|| format!("{URL} is not set"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        Ok(Self { url, http })
    }

    pub(crate) async fn describe(&self) -> Result<Description> {
        let description: Value = self.http.get(&self.url).send().await?.json().await?;
        let names = description["capabilities"].as_array().into_iter().flatten();
        let port = |(_, field): &(&str, &str)| {
            let url = description[*field].as_str().unwrap_or_default();
            let port = url.rsplit(':').next().unwrap_or_default();
            port.parse().with_context(|| format!("{field}: {url:?}"))
        };
        Ok(Description {
            host: description["host"].as_str().unwrap_or_default().to_owned(),
            capabilities: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            ports: SERVERS
                .iter()
                .filter(|(_, field)| description.get(field).is_some())
                .map(port)
                .collect::<Result<_>>()?,
        })
    }

    /// Performs an action on a service and waits until it is complete.
    pub(crate) async fn act(&self, service: &str, action: &str) -> Result<()> {
        let url = format!("{}/{service}/{action}", self.url);
        let response = self.http.post(url).send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("{service} {action}: {status} {}", response.text().await?);
        }
        Ok(())
    }

    /// The resident memory of a chat server in bytes: of the process that serves its sockets, which
    /// is the largest one.
    pub(crate) async fn resident_bytes(&self, service: &str) -> Result<u64> {
        let url = format!("{}/{service}/memory", self.url);
        let response = self.http.post(url).send().await?.error_for_status()?;
        let by_process: BTreeMap<String, u64> = response.json().await?;
        by_process.into_values().max().context("no process")
    }

    /// The name of a chat server in control requests.
    pub(crate) fn server(index: usize) -> &'static str {
        SERVERS.get(index).map_or("server", |(name, _)| name)
    }
}
