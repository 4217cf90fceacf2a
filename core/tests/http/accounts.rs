//! Registration.

use serde_json::json;

use crate::server::Server;

fn registration() -> serde_json::Value {
    json!({"username": "bob", "email": "bob@example.com", "password": "StrongPass123!", "first_name": "Bob", "last_name": "Bee"})
}

#[tokio::test]
async fn registration_returns_only_the_account() {
    let server = Server::new().await;
    let response = server
        .post("/api/users/register/", registration().to_string())
        .await;
    assert_eq!(response.status, 201);
    let user = json!({"id": 2, "username": "bob", "email": "bob@example.com", "first_name": "Bob", "last_name": "Bee"});
    assert_eq!(response.json(), user);
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn closed_registration_is_refused_and_reported() {
    for (setting, status) in [("open", 201), ("closed", 403)] {
        let server = Server::with(&[("REGISTRATION", setting)]).await;
        let config = server.get("/api/config/").await;
        assert_eq!(config.json()["registration"], setting);
        let path = "/api/users/register/";
        let response = server.post(path, registration().to_string()).await;
        assert_eq!(response.status, status);
        // Also for fields that are invalid: nothing about accounts is disclosed.
        let response = server.post(path, "{}".to_owned()).await;
        let expected = if status == 403 {
            "forbidden"
        } else {
            "invalid"
        };
        assert_eq!(response.code(), expected);
    }
}

#[tokio::test]
async fn invalid_registration_lists_every_field() {
    let server = Server::new().await;
    let mut invalid = registration();
    invalid["username"] = json!("a b");
    invalid["password"] = json!("1234");
    invalid.as_object_mut().unwrap().remove("email");
    let response = server
        .post("/api/users/register/", invalid.to_string())
        .await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (400, "invalid")
    );
    let json = response.json();
    assert_eq!(json["email"], json!(["This field is required."]));
    assert!(
        json["username"][0]
            .as_str()
            .unwrap()
            .starts_with("Enter a valid username.")
    );
    // Too short and all digits; the list of common passwords has longer ones only.
    assert_eq!(json["password"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["request_id"], response.header("x-request-id"));

    let mut taken = registration();
    taken["username"] = json!("ANN");
    taken["email"] = json!("Ann@Example.com");
    let json = server
        .post("/api/users/register/", taken.to_string())
        .await
        .json();
    assert_eq!(
        json["username"],
        json!(["A user with that username already exists."])
    );
    assert_eq!(
        json["email"],
        json!(["A user with that email already exists."])
    );
}

#[tokio::test]
async fn registrations_are_limited_per_address() {
    let server = Server::with(&[("REGISTRATIONS_PER_ADDRESS", "1")]).await;
    assert_eq!(
        server
            .post("/api/users/register/", registration().to_string())
            .await
            .status,
        201
    );
    assert_eq!(
        server
            .post("/api/users/register/", registration().to_string())
            .await
            .status,
        429
    );
}
