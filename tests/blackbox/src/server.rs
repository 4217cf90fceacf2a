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
        Self::offered("unthrottled_base_url", false).await
    }

    /// A server whose access tokens end soon, where the host offers one.
    pub async fn short_tokens() -> Option<Self> {
        Self::offered("short_token_base_url", true).await
    }

    /// A server whose throttle is longer than a Room stays awake, where the host offers one.
    pub async fn long_throttle() -> Option<Self> {
        Self::offered("long_throttle_base_url", true).await
    }

    /// A server that panics when it is asked to, and whose access tokens live for 150 seconds.
    pub async fn faulty() -> Option<Self> {
        Self::offered("faulty_base_url", false).await
    }

    /// Another server on the data of the one under test, where the host offers one.
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
            "an address is http://… or https://…, not {base_url}"
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
        // `ws` for `http`, `wss` for `https` (RFC 6455 §3).
        format!("ws{}{path}", self.base_url.trim_start_matches("http"))
    }

    /// Host and, where it is not the scheme's own, port.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_schemes() {
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
