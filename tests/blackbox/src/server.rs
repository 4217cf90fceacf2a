//! The servers of the suite: the one under test from the environment, and others that the host offers.

use std::sync::Arc;

use crate::control::Control;
use crate::environment::variable;

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

    /// The server for tests of many messages: without a throttle where the host offers one
    /// (`unthrottled_base_url`), else the server under test. On that one many users must send.
    pub async fn for_volume() -> Self {
        Self::unthrottled().await.unwrap_or_else(Self::under_test)
    }

    /// A server without a throttle, where the host offers one. Its groups have at most eight members,
    /// and it hides the e-mail addresses of others.
    pub async fn unthrottled() -> Option<Self> {
        Self::offered("unthrottled_base_url", false).await
    }

    /// A server with short-lived access tokens and with budgets, where the host offers one.
    pub async fn short_tokens() -> Option<Self> {
        Self::offered("short_token_base_url", true).await
    }

    /// A server whose throttle period is longer than a Room stays awake, where the host offers one.
    pub async fn long_throttle() -> Option<Self> {
        Self::offered("long_throttle_base_url", true).await
    }

    /// A server that panics on request and whose access tokens live for 150 seconds.
    pub async fn faulty() -> Option<Self> {
        Self::offered("faulty_base_url", false).await
    }

    /// A second server on the database of the one under test, where the host offers one.
    pub async fn second() -> Option<Self> {
        Self::offered("second_base_url", true).await
    }

    async fn offered(name: &str, throttled: bool) -> Option<Self> {
        let info = Control::from_env().info().await;
        info[name].as_str().map(|url| Self::at(url, throttled))
    }

    fn at(base_url: &str, throttled: bool) -> Self {
        let base_url = base_url.trim_end_matches('/');
        assert!(
            ["http://", "https://"]
                .iter()
                .any(|scheme| base_url.starts_with(scheme)),
            "expected http://… or https://…, got {base_url}"
        );
        Self {
            base_url: base_url.into(),
            throttled,
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The WebSocket URL of a path.
    pub fn socket_url(&self, path: &str) -> String {
        // `ws` for `http`, `wss` for `https` (RFC 6455 §3).
        format!("ws{}{path}", self.base_url.trim_start_matches("http"))
    }

    /// Host and, where it is not the scheme's default, port.
    pub fn authority(&self) -> &str {
        let authority = self.base_url.split_once("://");
        authority.map_or(&self.base_url, |(_, authority)| authority)
    }

    /// Host and port to connect to.
    pub fn address(&self) -> String {
        let (authority, port) = (self.authority(), if self.is_secure() { 443 } else { 80 });
        let host = authority.trim_end_matches(|digit: char| digit.is_ascii_digit());
        if host.ends_with(':') && host.len() < authority.len() {
            return authority.to_owned();
        }
        format!("{authority}:{port}")
    }

    /// Whether it is reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// Whether this server throttles senders.
    pub fn throttled(&self) -> bool {
        self.throttled
    }

    /// How many members should share the sending of many messages, so that a test is not slowed
    /// down by the throttle.
    pub fn sender_count(&self) -> usize {
        if self.throttled { 20 } else { 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_addresses_follow_the_scheme() {
        for (base, socket, address) in [
            (
                "http://127.0.0.1:8000/",
                "ws://127.0.0.1:8000/ws",
                "127.0.0.1:8000",
            ),
            (
                "https://chat.example",
                "wss://chat.example/ws",
                "chat.example:443",
            ),
            ("http://chat1", "ws://chat1/ws", "chat1:80"),
            ("https://[::1]:8443", "wss://[::1]:8443/ws", "[::1]:8443"),
            ("https://[::1]", "wss://[::1]/ws", "[::1]:443"),
        ] {
            let server = Server::at(base, true);
            assert_eq!(server.socket_url("/ws"), socket);
            assert_eq!(server.address(), address);
        }
    }
}
