//! Which server the suite talks to: the only thing it is told from outside.

use std::env;
use std::sync::Arc;

use crate::control::Control;

/// The variable that holds the server's address.
const BASE_URL: &str = "COLLOQUY_BASE_URL";

/// A server under test.
#[derive(Debug, Clone)]
pub struct Server {
    base_url: Arc<str>,
    throttled: bool,
}

impl Server {
    /// The server under test.
    pub fn under_test() -> Self {
        Self::at(&variable(BASE_URL), true)
    }

    /// The server for tests of many messages: one without a throttle where the host offers one
    /// (`unthrottled_base_url`), else the server under test, where many users must send instead
    /// of one.
    pub async fn for_volume() -> Self {
        Self::unthrottled().await.unwrap_or_else(Self::under_test)
    }

    /// A server without a throttle, where the host offers one.
    pub async fn unthrottled() -> Option<Self> {
        let info = Control::from_env().info().await;
        info["unthrottled_base_url"]
            .as_str()
            .map(|url| Self::at(url, false))
    }

    /// A server whose access tokens end soon, where the host offers one.
    pub async fn short_tokens() -> Option<Self> {
        let info = Control::from_env().info().await;
        info["short_token_base_url"]
            .as_str()
            .map(|url| Self::at(url, true))
    }

    fn at(base_url: &str, throttled: bool) -> Self {
        let base_url = base_url.trim_end_matches('/');
        assert!(
            base_url.starts_with("http://"),
            "the suite speaks plain HTTP, not {base_url}"
        );
        Self {
            base_url: base_url.into(),
            throttled,
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The same for a WebSocket.
    pub fn socket_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.authority())
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.base_url
            .strip_prefix("http://")
            .unwrap_or(&self.base_url)
    }

    /// Whether this server holds senders to the throttle.
    pub fn throttled(&self) -> bool {
        self.throttled
    }

    /// How many members should take turns so that a test of many messages does not wait for the
    /// throttle of each.
    pub fn crowd(&self) -> usize {
        if self.throttled { 20 } else { 3 }
    }
}

/// A variable of the environment. Without it the tests fail rather than be skipped: a suite that
/// tests nothing must not look green.
pub(crate) fn variable(name: &str) -> String {
    match env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run `cargo xtask test`, which starts a server and sets it"),
    }
}
