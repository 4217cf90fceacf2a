//! The client of Redis over HTTP: one [`Client::pipeline`] is one `POST /pipeline`.
//!
//! Owns the address, the token, the timeout and the error types. It does not retry (a caller falls
//! back to its database sooner than a second attempt would finish), does not batch across calls, and
//! does not interpret commands.
//!
//! Builds for native and wasm32. Natively it pools keep-alive connections; in wasm reqwest uses the
//! global `fetch`, whose futures are not `Send`.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{StatusCode, Url};

use crate::codec::{self, CodecError, Command, Encoding, Outcome};

/// The maximum timeout; a longer one is reduced to it. A timer of JavaScript is limited to 31-bit
/// milliseconds, and no caller of a cache waits an hour.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// The maximum length of an error's text.
const MAX_ERROR_CHARS: usize = 200;

/// A client of one Redis behind one URL. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pipeline: Url,
    authorization: HeaderValue,
    timeout: Duration,
}

/// Why a pipeline or the construction of a client failed.
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
    /// The token is empty or not valid in a header.
    #[error("the token of redis over http is empty or not printable ascii")]
    Token,
    /// The HTTP client could not be built.
    #[error("the http client could not be built")]
    Build(#[source] reqwest::Error),
    /// No complete response in time. The commands may have run.
    #[error("redis over http timed out")]
    Timeout,
    /// No connection, or a connection error. The commands may have run.
    #[error("redis over http could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// 401: the token is wrong.
    #[error("redis over http rejected the token")]
    Unauthorized,
    /// Any other status than 200: the whole request was rejected.
    #[error("redis over http returned status {status}: {text}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The server's error text, shortened; empty without an error in the protocol's form.
        text: String,
    },
    /// The response violates the protocol.
    #[error("redis over http sent an invalid response")]
    Protocol(#[from] CodecError),
}

impl Client {
    /// A client of the Redis at `url` (a trailing slash or a path prefix is allowed), which
    /// authenticates by `token`. `timeout` applies to a pipeline from the first byte sent to the last
    /// received. Does not connect yet.
    pub fn new(url: &str, token: &str, timeout: Duration) -> Result<Self, ClientError> {
        let pipeline = pipeline_url(url)?;
        Ok(Self {
            http: http_client(&pipeline)?,
            authorization: authorization(token)?,
            pipeline,
            timeout: timeout.min(MAX_TIMEOUT),
        })
    }

    /// Sends `commands` in one request and returns one outcome for each, in order. They run in order,
    /// but not atomically. Without commands nothing is sent.
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
            .map_err(transport_error)?;
        let status = response.status();
        let body = response.bytes().await.map_err(transport_error)?;
        if status != StatusCode::OK {
            return Err(rejected(status, &body));
        }
        // Plain instead of base64: Colloquy stores UTF-8 only, and the response is a third shorter.
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
    // Hides it from the debug output of reqwest and hyper.
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(not(target_arch = "wasm32"))]
fn http_client(url: &Url) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        // A redirect would send the commands to a host that is not configured.
        .redirect(reqwest::redirect::Policy::none())
        // Shorter than the idle timeout of servers and load balancers, so that a pipeline rarely uses
        // a connection that is being closed.
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true);
    if url.scheme() == "http" {
        // Without TLS the server is on a private network; an HTTP proxy would see the token.
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| ClientError::Build(error.without_url()))
}

/// At the edge `fetch` owns connections, TLS and proxies; there is nothing to configure.
#[cfg(target_arch = "wasm32")]
fn http_client(_url: &Url) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .build()
        .map_err(ClientError::Build)
}

fn transport_error(error: reqwest::Error) -> ClientError {
    if error.is_timeout() {
        ClientError::Timeout
    } else {
        ClientError::Unreachable(error.without_url())
    }
}

fn rejected(status: StatusCode, body: &[u8]) -> ClientError {
    if status == StatusCode::UNAUTHORIZED {
        return ClientError::Unauthorized;
    }
    let text = codec::decode_error(body)
        .map(|error| error.text().chars().take(MAX_ERROR_CHARS).collect())
        .unwrap_or_default();
    ClientError::Rejected {
        status: status.as_u16(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn invalid_urls_are_rejected() {
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
    fn tokens_invalid_in_a_header_are_rejected() {
        for token in ["", "two words", "line\nbreak", "é"] {
            let error = Client::new("http://host", token, TIMEOUT).expect_err("rejected");
            assert!(matches!(error, ClientError::Token));
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let client = Client::new("http://host:1/secret-path", "secret", TIMEOUT).expect("a client");
        let debug = format!("{client:?}");
        assert!(
            debug.contains("host") && !debug.contains("secret"),
            "{debug}"
        );
    }

    #[test]
    fn pipeline_future_is_send() {
        fn send<T: Send>(_: &T) {}
        let client = Client::new("http://host", "token", TIMEOUT).expect("a client");
        send(&client.pipeline(&[]));
    }
}
