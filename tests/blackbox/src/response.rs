//! One HTTP response, its assertions, and the checks that hold for every response.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::error_codes::ErrorCode;

/// A response of a server.
#[derive(Debug, Clone)]
pub struct Response {
    /// The method and path of the request, for assertion messages.
    pub request: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as received.
    pub text: String,
    /// The body as JSON; null when it is empty.
    pub body: Value,
}

impl Response {
    /// A header's value, if it is present and ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body. Panics unless the status is this one.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.body
    }

    /// Panics unless the response is an error with this status and code.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.body["code"], code, "{self}");
        self
    }

    /// The messages about a field. Panics unless the request was rejected because of this field.
    #[track_caller]
    pub fn expect_invalid(&self, field: &str) -> String {
        self.expect_error(400, "invalid");
        let messages = self.body[field].as_array();
        let messages = messages.unwrap_or_else(|| panic!("no message about {field}: {self}"));
        messages
            .iter()
            .map(|message| message.as_str().expect("a text"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Checks the rules of docs/protocol.md that hold for every response.
    pub(crate) fn check(&self) {
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(is_request_id(id), "X-Request-Id {id:?}: {self}");
        if !self.text.is_empty() {
            let kind = self.header("content-type").unwrap_or_default();
            assert!(
                kind.starts_with("application/json"),
                "Content-Type {kind:?}: {self}"
            );
        }
        // A response to HEAD has no body (RFC 9110 §9.3.2).
        if self.status >= 400 && !self.request.starts_with("HEAD ") {
            self.check_error(id);
        }
    }

    fn check_error(&self, id: &str) {
        let Value::Object(body) = &self.body else {
            panic!("an error without a JSON object: {self}");
        };
        // The health report of an unhealthy server is not an error and has its own shape.
        if self.status == 503 && body.contains_key("status") {
            return;
        }
        let code = ErrorCode::of(&self.body);
        assert_eq!(
            code.status, self.status,
            "the status of {}: {self}",
            code.name
        );
        assert_eq!(
            self.body["request_id"], id,
            "request_id in the body: {self}"
        );
        check_messages(body, self);
        match self.status {
            401 => assert!(
                self.header("www-authenticate")
                    .is_some_and(|value| value.starts_with("Bearer")),
                "{self}"
            ),
            405 => assert!(self.header("allow").is_some(), "{self}"),
            429 | 503 => {
                let seconds = self.header("retry-after");
                let seconds = seconds.and_then(|value| value.parse::<u64>().ok());
                assert!(seconds.is_some_and(|seconds| seconds > 0), "{self}");
            }
            _ => {}
        }
    }
}

/// The path of the next page: the reference of a `Link` header (RFC 8288), which has a query only
/// and so leads to the same path, also behind a proxy that adds a prefix.
pub fn next_link(response: &Response) -> Option<String> {
    let link = response.header("link")?;
    let (reference, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert!(rest.contains("rel=\"next\""), "{link}");
    assert!(
        reference.starts_with('?'),
        "not relative to the request: {link}"
    );
    let (_, target) = response.request.split_once(' ')?;
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    Some(format!("{path}{reference}"))
}

/// The body has a `detail`, or it names invalid fields, each with a list of messages.
fn check_messages(body: &Map<String, Value>, response: &Response) {
    if let Some(detail) = body.get("detail") {
        let is_text = detail.as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text, "{response}");
        return;
    }
    assert_eq!(body["code"], "invalid", "{response}");
    let mut fields = 0;
    for (name, value) in body {
        if matches!(name.as_str(), "code" | "request_id") {
            continue;
        }
        fields += 1;
        let has_messages = value
            .as_array()
            .is_some_and(|messages| !messages.is_empty() && messages.iter().all(Value::is_string));
        assert!(has_messages, "the messages about {name}: {response}");
    }
    assert!(fields > 0, "no field is named: {response}");
}

/// 1–64 characters of `A–Z a–z 0–9 . _ -`.
pub(crate) fn is_request_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text.chars().take(2_000).collect();
        write!(f, "{} returned {} {text}", self.request, self.status)
    }
}
