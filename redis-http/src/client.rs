//! The client of Redis over HTTP: one [`Client::pipeline`] is one `POST /pipeline`.
//!
//! Owns the address, the token, the time limit and what a failed exchange is called. It does not
//! retry (a caller with a cache falls back to its database sooner than a second attempt would
//! come back), does not batch across calls, and gives no command a meaning.
//!
//! Builds for native and for wasm32. Natively it pools kept-alive connections; in wasm reqwest
//! goes through the global `fetch`, whose futures are not `Send`.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{StatusCode, Url};

use crate::codec::{self, CodecError, Command, Encoding, Outcome};

/// Longest time limit taken over; a longer one is cut to it. The edge counts milliseconds in 31
/// bits, and no caller of a cache waits an hour.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

/// How much of a refusal's text is kept.
const REFUSAL_CHARS: usize = 200;

/// A client of one Redis behind one URL. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pipeline: Url,
    authorization: HeaderValue,
    timeout: Duration,
}

/// Why there is no answer to a pipeline, or no client.
///
/// No variant holds the token, a command, a value or the URL.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not `http(s)://host…` without user, query or fragment.
    #[error("the url of redis over http is not a plain http or https url")]
    Url,
    /// The URL is https and this build has no TLS.
    #[error("the url of redis over http is https, which needs the feature `tls`")]
    NoTls,
    /// The token is empty or cannot stand in a header.
    #[error("the token of redis over http is empty or not printable ascii")]
    Token,
    /// The HTTP client could not be built.
    #[error("the http client could not be built")]
    Build(#[source] reqwest::Error),
    /// No complete answer in time. The commands may have run.
    #[error("redis over http did not answer in time")]
    Timeout,
    /// No connection, or one that broke. The commands may have run.
    #[error("redis over http could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// 401: the token is not the server's.
    #[error("redis over http refused the token")]
    Unauthorized,
    /// Any other status than 200: the request as a whole was refused.
    #[error("redis over http answered with status {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's words, shortened; empty when it sent none of the protocol's.
        text: String,
    },
    /// The answer is not what the protocol allows.
    #[error("redis over http sent an answer outside the protocol")]
    Protocol(#[from] CodecError),
}

impl Client {
    /// A client of the Redis at `url` (a trailing slash or a path prefix is fine), which
    /// authenticates by `token` and gives a pipeline `timeout` from the first byte sent to the
    /// last received. Opens no connection yet.
    pub fn new(url: &str, token: &str, timeout: Duration) -> Result<Self, ClientError> {
        let pipeline = pipeline_url(url)?;
        Ok(Self {
            http: http_client(&pipeline)?,
            authorization: authorization(token)?,
            pipeline,
            timeout: timeout.min(LONGEST_TIMEOUT),
        })
    }

    /// Sends `commands` in one request and returns what each came to, in order and in number the
    /// same as `commands`. They run in order, but not atomically. No commands, no request.
    pub async fn pipeline(&self, commands: &[Command]) -> Result<Vec<Outcome>, ClientError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let response = self
            .http
            .post(self.pipeline.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .timeout(self.timeout)
            .body(codec::encode_commands(commands)?)
            .send()
            .await
            .map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        if status != StatusCode::OK {
            return Err(refused(status, &body));
        }
        // Plain, not base64: what Colloquy stores is UTF-8, and a third less of it travels.
        let outcomes = codec::decode_outcomes(&body, Encoding::Plain)?;
        let (sent, received) = (commands.len(), outcomes.len());
        if sent != received {
            return Err(CodecError::Count { sent, received }.into());
        }
        Ok(outcomes)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("host", &self.pipeline.host_str())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn pipeline_url(url: &str) -> Result<Url, ClientError> {
    let mut url = Url::parse(url).map_err(|_| ClientError::Url)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare || !url.has_host() {
        return Err(ClientError::Url);
    }
    let path = format!("{}/pipeline", url.path().trim_end_matches('/'));
    url.set_path(&path);
    match url.scheme() {
        "http" => Ok(url),
        "https" if cfg!(any(target_arch = "wasm32", feature = "tls")) => Ok(url),
        "https" => Err(ClientError::NoTls),
        _ => Err(ClientError::Url),
    }
}

fn authorization(token: &str) -> Result<HeaderValue, ClientError> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ClientError::Token);
    }
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    // Keeps it out of reqwest's and hyper's own debug output.
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(not(target_arch = "wasm32"))]
fn http_client(url: &Url) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        // A redirect would carry the commands to a host nobody configured.
        .redirect(reqwest::redirect::Policy::none())
        // Shorter than servers and balancers keep an idle connection, so that a pipeline seldom
        // meets one that is just being closed.
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true);
    if url.scheme() == "http" {
        // Without TLS the server is a neighbour; a proxy would only read the token.
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| ClientError::Build(error.without_url()))
}

/// At the edge `fetch` decides on connections, TLS and proxies; there is nothing to set.
#[cfg(target_arch = "wasm32")]
fn http_client(_url: &Url) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .build()
        .map_err(ClientError::Build)
}

fn lost(error: reqwest::Error) -> ClientError {
    if error.is_timeout() {
        ClientError::Timeout
    } else {
        ClientError::Unreachable(error.without_url())
    }
}

fn refused(status: StatusCode, body: &[u8]) -> ClientError {
    if status == StatusCode::UNAUTHORIZED {
        return ClientError::Unauthorized;
    }
    let text = codec::decode_refusal(body)
        .map(|error| error.text().chars().take(REFUSAL_CHARS).collect())
        .unwrap_or_default();
    ClientError::Refused {
        status: status.as_u16(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn urls_are_checked_before_the_first_request() {
        for url in ["http://127.0.0.1:1", "http://host/", "http://host/redis//"] {
            assert!(Client::new(url, "token", TIMEOUT).is_ok(), "{url}");
        }
        for url in [
            "",
            "host",
            "redis://host",
            "http://",
            "http://a:b@host",
            "http://host?x=1",
        ] {
            let error = Client::new(url, "token", TIMEOUT).expect_err(url);
            assert!(matches!(error, ClientError::Url), "{url}: {error}");
        }
    }

    #[test]
    fn https_needs_tls() {
        let client = Client::new("https://host.example", "token", TIMEOUT);
        if cfg!(feature = "tls") {
            client.expect("a client with tls");
        } else {
            assert!(matches!(client, Err(ClientError::NoTls)));
        }
    }

    #[test]
    fn tokens_that_cannot_stand_in_a_header_are_refused() {
        for token in ["", "two words", "line\nbreak", "é"] {
            let error = Client::new("http://host", token, TIMEOUT).expect_err("refused");
            assert!(matches!(error, ClientError::Token));
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let client = Client::new("http://host:1/secret-path", "secret", TIMEOUT).expect("a client");
        let shown = format!("{client:?}");
        assert!(
            shown.contains("host") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn pipelines_may_run_on_any_thread() {
        fn send<T: Send>(_: &T) {}
        let client = Client::new("http://host", "token", TIMEOUT).expect("a client");
        send(&client.pipeline(&[]));
    }
}
