//! The control server, through which the servers are killed, frozen and started; what it can do is
//! told in `tests/README.md`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The variable that holds its address.
const URL: &str = "COLLOQUY_CONTROL_URL";

/// A server is killed, started and waited for before the answer comes.
const PATIENCE: Duration = Duration::from_mins(2);

/// The names of the two chat servers: in control requests, in the description.
const SERVERS: [(&str, &str); 2] = [
    ("server", "base_url"),
    ("torture-throttled", "throttled_base_url"),
];

#[derive(Clone)]
pub(crate) struct Control {
    url: String,
    http: reqwest::Client,
}

/// What the control server says of the host.
pub(crate) struct Description {
    pub(crate) host: String,
    pub(crate) capabilities: Vec<String>,
    /// The ports of the chat servers: without a throttle, with one.
    pub(crate) ports: Vec<u16>,
}

impl Control {
    /// The one the environment names.
    pub(crate) fn from_env() -> Result<Self> {
        let url = std::env::var(URL).with_context(|| format!("{URL} is not set"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { url, http })
    }

    pub(crate) async fn describe(&self) -> Result<Description> {
        let told: Value = self.http.get(&self.url).send().await?.json().await?;
        let names = told["capabilities"].as_array().into_iter().flatten();
        let port = |(_, field): &(&str, &str)| {
            let url = told[*field].as_str().unwrap_or_default();
            let port = url.rsplit(':').next().unwrap_or_default();
            port.parse().with_context(|| format!("{field}: {url:?}"))
        };
        Ok(Description {
            host: told["host"].as_str().unwrap_or_default().to_owned(),
            capabilities: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            ports: SERVERS.iter().map(port).collect::<Result<_>>()?,
        })
    }

    /// Does it, and answers when it is done.
    pub(crate) async fn act(&self, service: &str, action: &str) -> Result<()> {
        let url = format!("{}/{service}/{action}", self.url);
        let answer = self.http.post(url).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{service} {action}: {status} {}", answer.text().await?);
        }
        Ok(())
    }

    /// The name of a chat server.
    pub(crate) fn server(index: usize) -> &'static str {
        SERVERS.get(index).map_or("server", |(name, _)| name)
    }
}
