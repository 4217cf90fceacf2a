//! The HTTP client. It checks every response against the rules for all responses and against the
//! server's own OpenAPI description, so that no test has to.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::openapi::OpenApi;
use crate::response::Response;
use crate::server::Server;

/// Longer than any response takes, so that a server that hangs fails the test instead of blocking it.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The header with which the platform of the edge names the client's address.
const EDGE_ADDRESS: &str = "cf-connecting-ip";

/// A client of one server, with or without an access token.
#[derive(Debug, Clone)]
pub struct Api {
    server: Server,
    http: reqwest::Client,
    bearer: Option<String>,
}

impl Api {
    /// A client without an access token.
    pub fn anonymous(server: &Server) -> Self {
        Self::built(server, reqwest::Client::builder())
    }

    /// The same at another address of the loopback network, on a host with `client-addresses`.
    pub fn at_address(server: &Server, address: Ipv4Addr) -> Self {
        // Natively the address of the connection counts, at the edge the platform's header.
        let value = address.to_string().parse().expect("a header value");
        let headers = HeaderMap::from_iter([(HeaderName::from_static(EDGE_ADDRESS), value)]);
        let builder = reqwest::Client::builder().default_headers(headers);
        Self::built(server, builder.local_address(IpAddr::V4(address)))
    }

    fn built(server: &Server, builder: reqwest::ClientBuilder) -> Self {
        let http = builder
            .no_proxy()
            .timeout(RESPONSE_TIMEOUT)
            // Servers close idle connections, some after five seconds; a request that is sent in
            // that moment is lost.
            .pool_idle_timeout(Duration::from_secs(2))
            // The protocol has no redirects: one is returned as the response it is.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("an HTTP client");
        Self {
            server: server.clone(),
            http,
            bearer: None,
        }
    }

    /// The same client with an access token.
    #[must_use]
    pub fn with_bearer(&self, access: &str) -> Self {
        let mut api = self.clone();
        api.bearer = Some(access.to_owned());
        api
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await
    }

    /// Any other request.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut inner = self.http.request(method.clone(), self.server.url(path));
        if let Some(bearer) = &self.bearer {
            inner = inner.bearer_auth(bearer);
        }
        Request {
            inner,
            method,
            path: path.to_owned(),
            server: self.server.clone(),
        }
    }
}

/// A request under construction.
#[must_use = "nothing is sent before `send`"]
pub struct Request {
    inner: reqwest::RequestBuilder,
    method: Method,
    path: String,
    server: Server,
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.inner = self.inner.header(name, value);
        self
    }

    /// Sends this JSON.
    pub fn json(mut self, body: &Value) -> Self {
        self.inner = self.inner.json(body);
        self
    }

    /// Sends these bytes under this content type.
    pub fn raw_body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.inner = self.inner.header("content-type", kind).body(body.into());
        self
    }

    /// Sends the request and checks the response. Repeats it, as the protocol asks, while the server
    /// answers `overloaded`: many tests run in parallel.
    pub async fn send(self) -> Response {
        let name = format!("{} {}", self.method, self.path);
        let deadline = tokio::time::Instant::now() + RESPONSE_TIMEOUT;
        loop {
            let inner = self.inner.try_clone().expect("a body that can be cloned");
            let attempt = Self {
                inner,
                method: self.method.clone(),
                path: self.path.clone(),
                server: self.server.clone(),
            };
            let response = match attempt.attempt().await {
                Ok(response) => response,
                Err(error) => panic!("{name}: {error:?}"),
            };
            if response.body["code"] != "overloaded" || tokio::time::Instant::now() > deadline {
                return response;
            }
            let seconds = response
                .header("retry-after")
                .and_then(|value| value.parse().ok());
            tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1))).await;
        }
    }

    /// Sends the request and returns the status alone, unchecked: a proxy in front of the server,
    /// which does not follow the protocol, may respond.
    pub async fn attempt_unchecked(self) -> Option<u16> {
        let response = self.inner.send().await.ok()?;
        Some(response.status().as_u16())
    }

    /// Sends the request once. The error means that no complete response arrived, as while a server
    /// is killed or when a request is too malformed to be answered.
    pub async fn attempt(self) -> Result<Response, reqwest::Error> {
        let received = self.inner.send().await?;
        let status = received.status().as_u16();
        let headers = received.headers().clone();
        let text = received.text().await?;
        let request = format!("{} {}", self.method, self.path);
        let body = match text.as_str() {
            "" => Value::Null,
            json => serde_json::from_str(json)
                .unwrap_or_else(|_| panic!("{request} returned {status} without JSON: {json}")),
        };
        let response = Response {
            request,
            status,
            headers,
            text,
            body,
        };
        response.check();
        let openapi = OpenApi::of(&self.server).await;
        openapi.check(&self.method, &self.path, &response);
        Ok(response)
    }
}
