//! The server's OpenAPI description, `/api/openapi.json`, and the check of every response against it:
//! the path, method and status are documented and the body matches the schema.
//!
//! Paths under `/ws/` are not REST and are not described.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::response::Response;
use crate::schema;
use crate::server::Server;

const PATH: &str = "/api/openapi.json";

static OPENAPI: OnceCell<OpenApi> = OnceCell::const_new();

/// A server's OpenAPI description with compiled schemas.
#[derive(Debug)]
pub struct OpenApi {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl OpenApi {
    /// The description of the server under test, fetched once. The other servers of a host are the
    /// same program with other settings and must match the same description.
    pub async fn of(server: &Server) -> &'static Self {
        OPENAPI
            .get_or_init(|| async { Self::new(schema::fetch(server, PATH).await) })
            .await
    }

    fn new(document: Value) -> Self {
        Self {
            document,
            validators: Mutex::default(),
        }
    }

    /// The document itself.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every documented method and path.
    pub fn operations(&self) -> Vec<(String, String)> {
        const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];
        let paths = self.document["paths"].as_object().expect("paths");
        let mut operations = Vec::new();
        for (path, item) in paths {
            for method in METHODS.iter().filter(|method| item.get(*method).is_some()) {
                operations.push((method.to_uppercase(), path.clone()));
            }
        }
        operations
    }

    /// Panics unless the description allows this response.
    pub(crate) fn check(&self, method: &Method, path: &str, response: &Response) {
        if let Err(problem) = self.validate(method, path, response) {
            panic!("undocumented response: {problem}: {response}");
        }
    }

    fn validate(&self, method: &Method, path: &str, response: &Response) -> Result<(), String> {
        let path = path.split('?').next().unwrap_or(path);
        // The Host header is checked before the path.
        if path.starts_with("/ws/") || response.body["code"] == "invalid_host" {
            return Ok(());
        }
        let Some(template) = self.template(path) else {
            return match response.status {
                404 => Ok(()),
                _ => Err("the path is undocumented".to_owned()),
            };
        };
        let name = method.as_str().to_lowercase();
        // HEAD is GET without a body (RFC 9110 §9.3.2); OPTIONS belongs to CORS.
        let (name, bodiless) = match name.as_str() {
            "head" => ("get", true),
            "options" => return Ok(()),
            other => (other, false),
        };
        let operation = &self.document["paths"][&template][name];
        if operation.is_null() {
            return match response.status {
                405 => Ok(()),
                _ => Err("the method is undocumented".to_owned()),
            };
        }
        let key = Self::status_key(operation, response.status)?;
        if bodiless {
            return Ok(());
        }
        self.check_body(&template, name, &key, response)
    }

    /// The documented path template that matches a request path, with or without the final slash.
    fn template(&self, path: &str) -> Option<String> {
        let parts_of = |path: &'_ str| -> Vec<String> {
            let bare = path.strip_suffix('/').unwrap_or(path);
            bare.split('/').map(str::to_owned).collect()
        };
        let requested = parts_of(path);
        let paths = self.document["paths"].as_object()?;
        let fits = |template: &&String| {
            let parts = parts_of(template);
            parts.len() == requested.len()
                && parts.iter().zip(&requested).all(|(part, word)| {
                    if part.starts_with('{') {
                        // Every path parameter is a number.
                        word.parse::<i64>().is_ok()
                    } else {
                        part == word
                    }
                })
        };
        paths.keys().find(fits).cloned()
    }

    fn status_key(operation: &Value, status: u16) -> Result<String, String> {
        let responses = &operation["responses"];
        [status.to_string(), format!("{}XX", status / 100)]
            .into_iter()
            .chain(std::iter::once("default".to_owned()))
            .find(|key| responses.get(key).is_some())
            .ok_or_else(|| format!("the status {status} is undocumented"))
    }

    fn check_body(
        &self,
        template: &str,
        method: &str,
        status: &str,
        response: &Response,
    ) -> Result<(), String> {
        let mut pointer = format!(
            "/paths/{}/{method}/responses/{status}",
            template.replace('~', "~0").replace('/', "~1")
        );
        // A response may be a reference; references to references do not occur.
        let documented = self.document.pointer(&pointer).unwrap_or(&Value::Null);
        if let Some(reference) = documented["$ref"].as_str() {
            reference[1..].clone_into(&mut pointer);
        }
        pointer.push_str("/content");
        let documented = self.document.pointer(&pointer).is_some();
        match (documented, response.text.is_empty()) {
            (false, true) => return Ok(()),
            (false, false) => return Err("unexpected body".to_owned()),
            (true, true) => return Err("missing body".to_owned()),
            (true, false) => {}
        }
        pointer.push_str("/application~1json/schema");
        if self.document.pointer(&pointer).is_none() {
            // Documented as JSON without a schema.
            return Ok(());
        }
        let validator = self.validator(&pointer);
        let errors: Vec<String> = validator
            .iter_errors(&response.body)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.join("; "))
        }
    }

    /// The compiled schema at a pointer.
    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no panic while locked");
        if let Some(validator) = validators.get(pointer) {
            return Arc::clone(validator);
        }
        // A pointer in a URI is percent-encoded (RFC 6901 §6), and paths have braces.
        let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
        let validator = Arc::new(schema::compile(&self.document, &format!("#{fragment}")));
        validators.insert(pointer.to_owned(), Arc::clone(&validator));
        validator
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    fn openapi() -> OpenApi {
        OpenApi::new(json!({
            "openapi": "3.1.0",
            "paths": { "/things/{id}/": { "get": { "responses": {
                "200": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Thing" } } } },
                "404": { "$ref": "#/components/responses/Gone" },
                "205": { "description": "nothing" },
            } } } },
            "components": {
                "responses": { "Gone": { "content": { "application/json": {
                    "schema": { "type": "object", "required": ["detail"] } } } } },
                "schemas": { "Thing": {
                    "type": "object",
                    "required": ["at"],
                    "properties": {
                        "at": { "type": "string", "format": "date-time" },
                        "next": { "oneOf": [
                            { "type": "null" }, { "$ref": "#/components/schemas/Thing" } ] },
                    } } },
            },
        }))
    }

    fn validate(method: &Method, path: &str, status: u16, body: Value) -> Result<(), String> {
        let response = Response {
            request: path.to_owned(),
            status,
            headers: HeaderMap::new(),
            text: if body.is_null() {
                String::new()
            } else {
                body.to_string()
            },
            body,
        };
        openapi().validate(method, path, &response)
    }

    #[test]
    fn documented_responses_are_accepted() {
        let thing = json!({"at": "2026-01-01T00:00:00Z", "next": {"at": "2026-01-01T00:00:00Z"}});
        for path in ["/things/1/", "/things/1", "/things/1/?a=/b/"] {
            validate(&Method::GET, path, 200, thing.clone()).unwrap();
        }
        validate(&Method::GET, "/things/1/", 404, json!({"detail": "x"})).unwrap();
        validate(&Method::GET, "/things/1/", 205, Value::Null).unwrap();
        validate(&Method::POST, "/things/1/", 405, json!({})).unwrap();
        validate(&Method::GET, "/things/x/", 404, json!({})).unwrap();
    }

    #[test]
    fn undocumented_responses_are_rejected() {
        let cases = [
            (Method::GET, "/things/1/", 200, json!({})),
            (Method::GET, "/things/1/", 200, json!({"at": "yesterday"})),
            (
                Method::GET,
                "/things/1/",
                200,
                json!({"at": "2026-01-01T00:00:00Z", "next": {}}),
            ),
            (Method::GET, "/things/1/", 200, Value::Null),
            (Method::GET, "/things/1/", 404, json!({})),
            (Method::GET, "/things/1/", 205, json!({})),
            (Method::GET, "/things/1/", 418, json!({})),
            (Method::POST, "/things/1/", 200, json!({})),
            (Method::GET, "/others/", 200, json!({})),
        ];
        for (method, path, status, body) in cases {
            let case = format!("{method} {path} {status} {body}");
            assert!(validate(&method, path, status, body).is_err(), "{case}");
        }
    }
}
