//! The OpenAPI description: complete, valid, and exercised route by route. The HTTP client checks
//! every response of every test against it.

use std::collections::BTreeSet;

use colloquy_blackbox::{Account, Api, Group, OpenApi, Response, Server, unique};
use serde_json::{Value, json};

/// The routes of docs/protocol.md.
const PATHS: [(&str, &str); 21] = [
    ("POST", "/api/users/register/"),
    ("POST", "/api/users/login/"),
    ("POST", "/api/users/token/refresh/"),
    ("POST", "/api/users/logout/"),
    ("GET", "/api/users/profile/"),
    ("POST", "/api/chat/conversations/"),
    ("GET", "/api/chat/conversations/"),
    ("GET", "/api/chat/conversations/{id}/"),
    ("GET", "/api/chat/conversations/{id}/messages/"),
    ("POST", "/api/chat/conversations/{id}/messages/"),
    ("PATCH", "/api/chat/conversations/{id}/messages/{id}/"),
    ("DELETE", "/api/chat/conversations/{id}/messages/{id}/"),
    ("GET", "/api/chat/conversations/{id}/members/"),
    ("POST", "/api/chat/conversations/{id}/members/"),
    ("DELETE", "/api/chat/conversations/{id}/members/{id}/"),
    ("GET", "/api/config/"),
    ("GET", "/health/"),
    ("GET", "/health/live/"),
    ("GET", "/health/ready/"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/asyncapi.json"),
];

/// A path template with all parameters named `id`.
fn unnamed(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn openapi_describes_exactly_the_documented_routes() {
    let description = OpenApi::of(&Server::under_test()).await;
    let described: BTreeSet<(String, String)> = description
        .operations()
        .into_iter()
        .map(|(method, path)| (method, unnamed(&path)))
        // A WebSocket path may be described; it is no REST path.
        .filter(|(_, path)| !path.starts_with("/ws/"))
        .collect();
    let documented: BTreeSet<(String, String)> = PATHS
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, documented);
}

#[tokio::test]
async fn every_route_responds_as_described() {
    let server = Server::under_test();
    let (api, fields) = (Api::anonymous(&server), Account::registration());
    let (account, _, id) = Group::pair(&server).await;
    let friend = Account::new(&server).await;
    let conversation = format!("/api/chat/conversations/{id}/");
    let messages = format!("{conversation}messages/");
    let login = json!({"username": account.username, "password": account.password});
    let send = json!({"message": "Hello", "client_message_id": unique("m")});
    let participants = json!({"participants": [friend.id]});
    let session = account.log_in().await;
    let refreshed = session.refresh().await;
    let refresh = json!({"refresh": refreshed.body["refresh"]});
    let access = refreshed.body["access"].as_str().expect("a token");
    let group = Group::with_members(vec![account.clone(), friend.clone()]).await;
    let third = Account::new(&server).await;
    let message = account.send_retrying(group.id, "Hello").await["id"].clone();
    let message_id = message.as_u64().expect("an id");
    let responses: [(Response, u16); 21] = [
        (api.post("/api/users/register/", &fields).await, 201),
        (api.post("/api/users/login/", &login).await, 200),
        (refreshed.clone(), 200),
        (
            api.with_bearer(access)
                .post("/api/users/logout/", &refresh)
                .await,
            205,
        ),
        (account.profile().await, 200),
        (
            account
                .api
                .post("/api/chat/conversations/", &participants)
                .await,
            201,
        ),
        (account.api.get("/api/chat/conversations/").await, 200),
        (account.api.get(&conversation).await, 200),
        (account.api.get(&messages).await, 200),
        (account.api.post(&messages, &send).await, 201),
        (account.edit(group.id, message_id, "Hello again").await, 200),
        (account.delete(group.id, message_id).await, 204),
        (account.api.get(&group.path("members/")).await, 200),
        (account.add_member(group.id, third.id).await, 201),
        (account.remove_member(group.id, third.id).await, 204),
        (api.get("/api/config/").await, 200),
        (api.get("/health/").await, 200),
        (api.get("/health/live/").await, 200),
        (api.get("/health/ready/").await, 200),
        (api.get("/api/openapi.json").await, 200),
        (api.get("/api/asyncapi.json").await, 200),
    ];
    for ((response, status), (method, path)) in responses.iter().zip(PATHS) {
        assert_eq!(response.status, *status, "{response}");
        let (method_sent, path_sent) = response.request.split_once(' ').expect("a request");
        let template = path_sent.split('/').map(|part| match part.parse::<u64>() {
            Ok(_) => "{id}",
            Err(_) => part,
        });
        let template = template.collect::<Vec<_>>().join("/");
        assert_eq!((method_sent, &*template), (method, path));
    }
}

#[tokio::test]
async fn openapi_document_is_valid_and_its_references_resolve() {
    let server = Server::under_test();
    let description = OpenApi::of(&server).await;
    let document = description.document();
    let version = document["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3."), "{version}");
    assert!(document["info"]["title"].is_string());
    let mut references = Vec::new();
    collect_references(document, &mut references);
    assert!(!references.is_empty(), "no schema is shared");
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference inside the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} does not resolve"
        );
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(reference) if name == "$ref" => {
                        references.push(reference.clone());
                    }
                    other => collect_references(other, references),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn protected_routes_declare_security_and_401() {
    let description = OpenApi::of(&Server::under_test()).await;
    for (method, path) in description.operations() {
        let operation = &description.document()["paths"][&path][method.to_lowercase()];
        let open = [
            "register", "login", "refresh", "config", "health", "openapi", "asyncapi", "/ws/",
        ];
        if open.iter().any(|word| path.contains(word)) {
            continue;
        }
        assert!(
            operation["security"].is_array(),
            "{method} {path} declares no security"
        );
        assert!(
            operation["responses"].get("401").is_some(),
            "{method} {path} does not document 401"
        );
    }
}
