//! The HTTP client. Every answer it receives is held against what the contract says of all
//! answers and against the server's own description, so no test has to remember to.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::answer::Answer;
use crate::description::Description;
use crate::server::Server;

/// Longer than any answer takes, so that a server that hangs fails the test instead of hanging it.
const ANSWER: Duration = Duration::from_secs(30);

/// A client of one server, with or without an access token.
#[derive(Debug, Clone)]
pub struct Api {
    server: Server,
    http: reqwest::Client,
    bearer: Option<String>,
}

impl Api {
    /// A client nobody has logged in with.
    pub fn anonymous(server: &Server) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            // Servers hang up on connections that idle, some after five seconds; a request that
            // is sent in that moment is lost.
            .pool_idle_timeout(Duration::from_secs(2))
            // "Without a redirect": one would show as the answer it is.
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

    /// The server it talks to.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
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

/// A request being put together.
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

    /// Sends these bytes, named `application/json` unless another type is set before.
    pub fn raw(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.inner = self.inner.header("content-type", kind).body(body.into());
        self
    }

    /// Sends it, expects an answer and checks what holds for all answers. Sends it again, as a
    /// good client does, when the server says that it has too much to do: many tests run at once.
    pub async fn send(self) -> Answer {
        let name = format!("{} {}", self.method, self.path);
        let deadline = tokio::time::Instant::now() + ANSWER;
        loop {
            let inner = self
                .inner
                .try_clone()
                .expect("a body that can be sent again");
            let again = Self {
                inner,
                method: self.method.clone(),
                path: self.path.clone(),
                server: self.server.clone(),
            };
            let answer = match again.attempt().await {
                Ok(answer) => answer,
                Err(error) => panic!("{name}: {error:?}"),
            };
            if answer.body["code"] != "overloaded" || tokio::time::Instant::now() > deadline {
                return answer;
            }
            let seconds = answer
                .header("retry-after")
                .and_then(|value| value.parse().ok());
            tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1))).await;
        }
    }

    /// Sends it and only looks at the status, for what may be answered by something in front of
    /// the server that has never heard of the contract.
    pub async fn attempt_unchecked(self) -> Option<u16> {
        let response = self.inner.send().await.ok()?;
        Some(response.status().as_u16())
    }

    /// Sends it; the error when no whole answer came, which is what happens while a server is
    /// killed or a request is too odd to be answered.
    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let response = self.inner.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let request = format!("{} {}", self.method, self.path);
        let body = match text.as_str() {
            "" => Value::Null,
            json => serde_json::from_str(json)
                .unwrap_or_else(|_| panic!("{request} answered {status} without JSON: {json}")),
        };
        let answer = Answer {
            request,
            status,
            headers,
            text,
            body,
        };
        answer.check();
        let description = Description::of(&self.server).await;
        description.check(&self.method, &self.path, &answer);
        Ok(answer)
    }
}
