//! One HTTP request and its parsed response. No retries: those are the caller's decision.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::error::{Error, Rejection};

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub struct RestOptions {
    /// How long a response may take.
    pub timeout: Duration,
    /// The same where a password is hashed: login and registration. A login abandoned earlier
    /// would be hashed for nothing.
    pub password_timeout: Duration,
    /// Whether connections are reused. Without, each request opens its own.
    pub keep_alive: bool,
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            password_timeout: Duration::from_secs(30),
            keep_alive: true,
        }
    }
}

/// An HTTP client of one server.
#[derive(Clone, Debug)]
pub struct Rest {
    http: reqwest::Client,
    base_url: Arc<str>,
    password_timeout: Duration,
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The JSON body; null when it is empty.
    pub body: Value,
    retry_after: Option<Duration>,
}

impl Response {
    /// The error code, if it is an error.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }

    /// When a retry is useful: `retry_after_ms` of the body, else the `Retry-After` header.
    pub fn retry_after(&self) -> Option<Duration> {
        let exact = self.body["retry_after_ms"].as_u64();
        exact.map(Duration::from_millis).or(self.retry_after)
    }

    /// The body, if the status is one of these.
    pub fn expect(self, statuses: &[u16]) -> Result<Value, Error> {
        if statuses.contains(&self.status) {
            return Ok(self.body);
        }
        let text = |name: &str| self.body[name].as_str().unwrap_or_default().to_owned();
        let detail = match text("detail") {
            detail if detail.is_empty() => self.body.to_string(),
            detail => detail,
        };
        Err(Error::Rejected(Rejection {
            status: self.status,
            code: text("code"),
            detail,
            retry_after: self.retry_after(),
        }))
    }
}

impl Rest {
    /// A client of the server at `base_url`, such as `https://chat.example.com`.
    pub fn new(base_url: &str, options: RestOptions) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .timeout(options.timeout)
            // Servers close idle connections after some seconds; a request that is sent in that
            // moment is lost.
            .pool_idle_timeout(Duration::from_secs(2));
        if !options.keep_alive {
            builder = builder.pool_max_idle_per_host(0);
        }
        Ok(Self {
            http: builder.build()?,
            base_url: base_url.trim_end_matches('/').into(),
            password_timeout: options.password_timeout,
        })
    }

    /// Scheme and authority, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Sends a request once. An error means that no complete response arrived; the server may have
    /// processed the request nevertheless.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        access: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Response, Error> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url));
        if matches!(path, "/api/users/login/" | "/api/users/register/") {
            request = request.timeout(self.password_timeout);
        }
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            json => serde_json::from_str(json).map_err(|_| {
                Error::Unexpected(format!("{path} answered {status} without JSON: {text}"))
            })?,
        };
        Ok(Response {
            status,
            body,
            retry_after: retry_after.map(Duration::from_secs),
        })
    }
}
