//! One HTTP answer, and the ways a test says what it expects of it.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::codes::Code;

/// What a server answered to a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request: method and path, for messages.
    pub request: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null when it is empty.
    pub body: Value,
}

impl Answer {
    /// A header's value, when it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.body
    }

    /// Panics unless the request was refused with this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.body["code"], code, "{self}");
        self
    }

    /// The sentences about a field, if the request was refused for it.
    #[track_caller]
    pub fn invalid(&self, field: &str) -> String {
        self.refused(400, "invalid");
        let sentences = self.body[field].as_array();
        let sentences = sentences.unwrap_or_else(|| panic!("nothing said of {field}: {self}"));
        sentences
            .iter()
            .map(|sentence| sentence.as_str().expect("a sentence"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What the contract says of every answer, whatever was asked.
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
        // HEAD has no body to say anything in (RFC 9110 §9.3.2).
        if self.status >= 400 && !self.request.starts_with("HEAD ") {
            self.check_refusal(id);
        }
    }

    fn check_refusal(&self, id: &str) {
        let Value::Object(body) = &self.body else {
            panic!("a refusal without an object: {self}");
        };
        // The health of a server that cannot serve is no refusal and keeps its own shape.
        if self.status == 503 && body.contains_key("status") {
            return;
        }
        let code = Code::of(&self.body);
        assert_eq!(
            code.status, self.status,
            "the status of {}: {self}",
            code.name
        );
        assert_eq!(self.body["request_id"], id, "the body's request id: {self}");
        check_sentences(body, self);
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

/// `detail` is a sentence; without it every other field names one and holds sentences about it.
fn check_sentences(body: &Map<String, Value>, answer: &Answer) {
    if let Some(detail) = body.get("detail") {
        let is_sentence = detail.as_str().is_some_and(|text| !text.is_empty());
        assert!(is_sentence, "{answer}");
        return;
    }
    assert_eq!(body["code"], "invalid", "{answer}");
    let mut fields = 0;
    for (name, value) in body {
        if matches!(name.as_str(), "code" | "request_id") {
            continue;
        }
        fields += 1;
        let sentences = value.as_array().is_some_and(|sentences| {
            !sentences.is_empty() && sentences.iter().all(Value::is_string)
        });
        assert!(sentences, "the sentences about {name}: {answer}");
    }
    assert!(fields > 0, "no field is named: {answer}");
}

/// 1–64 characters of `A–Z a–z 0–9 . _ -`.
pub(crate) fn is_request_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text.chars().take(2_000).collect();
        write!(f, "{} answered {} {text}", self.request, self.status)
    }
}
