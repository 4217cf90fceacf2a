//! JSON Schemas inside a document, and the documents of a server.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::server::Server;

/// A public document of a server.
pub(crate) async fn fetch(server: &Server, path: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client.expect("an HTTP client").get(server.url(path));
    let response = request.send().await;
    let response = response.unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(response.status().as_u16(), 200, "{path}");
    response.json().await.expect("JSON")
}

/// The check of the schema that a reference names. The whole document is included to resolve its
/// references.
pub(crate) fn compile(document: &Value, reference: &str) -> Validator {
    let mut schema = document.clone();
    schema["$ref"] = json!(reference);
    jsonschema::options()
        .should_validate_formats(true)
        // OpenAPI has formats of its own (int64, password) that JSON Schema does not know.
        .should_ignore_unknown_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("the schema at {reference}: {error}"))
}
