//! Malicious payloads over REST and sockets: they are rejected or stored as plain text, and the server
//! keeps working.

use colloquy_blackbox::{Account, Api, Group, Received, Server, TIMEOUT, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// Injection texts: harmful where they are not escaped.
const TEXTS: [&str; 12] = [
    "'; drop table messages; --",
    "\" or \"1\"=\"1",
    "1); delete from users where (1=1",
    "$1 $2 :name ? %s {0} ${jndi:ldap://x}",
    "\\'; select pg_sleep(10); --",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "a\r\nSet-Cookie: admin=1\r\n\r\n<html>",
    "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "{\"type\":\"message\",\"seq\":1}",
    "__proto__",
    "\u{feff}\u{200f}\u{ffff}\u{10ffff}",
];

/// Asserts that the server is still healthy.
async fn still_works(server: &Server) {
    let health = Api::anonymous(server)
        .get("/health/")
        .await
        .expect_status(200);
    assert_eq!(health["database"], true, "{health}");
}

/// JSON nested this deep.
fn deep(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test]
async fn message_text_is_stored_verbatim() {
    let server = Server::under_test();
    let group = Group::new(&server, TEXTS.len()).await;
    let mut listener = group.members[0].socket(group.id).v2().open().await;
    for (turn, (member, text)) in group.members.iter().zip(TEXTS).enumerate() {
        if turn % 2 == 0 {
            let made = member
                .send(group.id, &unique("m"), text)
                .await
                .expect_status(201);
            assert_eq!(made["content"], text);
        } else {
            let mut socket = member.socket(group.id).v2().open().await;
            let key = socket.send_message(text).await;
            socket.expect_ack(&key).await;
        }
        listener.expect_message(text).await;
    }
    let stored = group.members[1].history(group.id).await;
    let stored: Vec<&Value> = stored.iter().map(|message| &message["content"]).collect();
    assert_eq!(stored, TEXTS.map(Value::from).iter().collect::<Vec<_>>());
    still_works(&server).await;
}

#[tokio::test]
async fn names_are_stored_verbatim() {
    let server = Server::under_test();
    let accounts = Account::register_many(&server, 2).await;
    let api = Api::anonymous(&server);
    for text in TEXTS {
        let mut fields = Account::registration();
        fields["first_name"] = json!(text);
        let user = api
            .post("/api/users/register/", &fields)
            .await
            .expect_status(201);
        // Names are stored without surrounding space.
        assert_eq!(user["first_name"], text.trim());
        let fields = json!({"participants": [accounts[1].id], "name": text});
        let made = accounts[0]
            .api
            .post("/api/chat/conversations/", &fields)
            .await;
        assert_eq!(made.expect_status(201)["name"], text.trim());
    }
    still_works(&server).await;
}

#[tokio::test]
async fn restricted_fields_reject_injection_texts() {
    let server = Server::under_test();
    let (account, _, id) = Group::pair(&server).await;
    let messages = format!("/api/chat/conversations/{id}/messages/");
    let api = Api::anonymous(&server);
    for text in TEXTS.iter().filter(|text| **text != "__proto__") {
        for field in ["username", "email"] {
            let mut fields = Account::registration();
            fields[field] = json!(text);
            api.post("/api/users/register/", &fields)
                .await
                .expect_invalid(field);
        }
        let fields = json!({"username": text, "password": text});
        let response = api.post("/api/users/login/", &fields).await;
        assert!(matches!(response.status, 400 | 401), "{response}");
        let fields = json!({"refresh": text});
        let response = api.post("/api/users/token/refresh/", &fields).await;
        assert!(matches!(response.status, 400 | 401), "{response}");
        let mut fields = json!({"message": "x"});
        fields["client_message_id"] = json!(text);
        let response = account.api.post(&messages, &fields).await;
        // Some of the texts are valid ids.
        assert!(matches!(response.status, 201 | 400 | 429), "{response}");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn deeply_nested_json_is_rejected_over_rest() {
    let server = Server::under_test();
    let (account, _, id) = Group::pair(&server).await;
    let messages = format!("/api/chat/conversations/{id}/messages/");
    let (message, members) = (
        format!("{messages}1/"),
        format!("/api/chat/conversations/{id}/members/"),
    );
    for (method, path) in [
        (Method::POST, "/api/users/register/"),
        (Method::POST, "/api/users/login/"),
        (Method::POST, "/api/chat/conversations/"),
        (Method::POST, &messages),
        (Method::PATCH, &message),
        (Method::POST, &members),
    ] {
        for body in [
            deep("[", "]", 10_000),
            deep("{\"a\":", "}", 10_000),
            format!("{{\"message\":{}}}", deep("[", "]", 10_000)),
            "[".repeat(60_000),
            "{\"a\":".repeat(10_000),
        ] {
            let request = account.api.request(method.clone(), path);
            let response = request.raw_body("application/json", body).send().await;
            assert_eq!(response.status, 400, "{response}");
        }
    }
    still_works(&server).await;
}

#[tokio::test]
async fn deeply_nested_json_is_rejected_on_sockets() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let frames = [
        deep("[", "]", 10_000),
        deep("{\"a\":", "}", 10_000),
        format!("{{\"message\":{}}}", deep("[", "]", 10_000)),
        format!("{{\"type\":{}}}", deep("{\"a\":", "}", 5_000)),
        format!("[{}]", deep("[", "]", 10_000)),
        "[".repeat(60_000),
    ];
    for v2 in [false, true] {
        let opening = account.socket(id);
        let opening = if v2 { opening.v2() } else { opening };
        let mut socket = opening.open().await;
        for frame in &frames {
            socket.send_text(frame).await;
            socket.expect_error().await;
        }
    }
    // Deep nesting in an unknown field may be ignored with the field.
    let mut socket = account.socket(id).v2().open().await;
    let nested = deep("[", "]", 10_000);
    let frame = format!(
        "{{\"type\":\"send\",\"client_message_id\":\"{}\",\"message\":\"x\",\"more\":{nested}}}",
        unique("m")
    );
    socket.send_text(&frame).await;
    let response = socket.find("ack or error", |frame| {
        frame["type"] == "ack" || frame["type"] == "error"
    });
    response.await;
    other.send_retrying(id, "after deep nesting").await;
    socket
        .find("the message", |frame| {
            frame["message"] == "after deep nesting"
        })
        .await;
    still_works(&server).await;
}

#[tokio::test]
async fn out_of_range_numbers_are_rejected() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let messages = format!("/api/chat/conversations/{id}/messages/");
    let group = Group::with_members(vec![account.clone(), other]).await;
    let members = group.path("members/");
    for number in [
        "1e400",
        "-1e400",
        "99999999999999999999999999",
        "1.5",
        "-1",
        "0",
        "NaN",
    ] {
        for (path, body) in [
            (
                "/api/chat/conversations/",
                format!("{{\"participants\":[{number}]}}"),
            ),
            (
                messages.as_str(),
                format!("{{\"message\":\"x\",\"reply_to\":{number}}}"),
            ),
            (members.as_str(), format!("{{\"user_id\":{number}}}")),
        ] {
            let request = account.api.request(Method::POST, path);
            let response = request
                .raw_body("application/json", body.clone())
                .send()
                .await;
            assert_eq!(response.status, 400, "{body}: {response}");
        }
        if number == "0" {
            // 0 is a valid position.
            continue;
        }
        let mut socket = account.socket(id).v2().open().await;
        let epoch = socket.epoch();
        let frame = format!("{{\"type\":\"resume\",\"since\":{number},\"epoch\":\"{epoch}\"}}");
        socket.send_text(&frame).await;
        let response = socket.next().await;
        assert!(
            matches!(response["type"].as_str(), Some("reset" | "error")),
            "{number}: {response}"
        );
    }
}

#[tokio::test]
async fn duplicate_json_keys_are_rejected_or_the_last_one_counts() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let request = account.api.request(
        Method::POST,
        &format!("/api/chat/conversations/{id}/messages/"),
    );
    let body = r#"{"message":"one","message":"two"}"#;
    let response = request.raw_body("application/json", body).send().await;
    // Either is allowed (RFC 8259 §4).
    match response.status {
        201 => assert_eq!(response.expect_status(201)["content"], "two"),
        _ => drop(response.expect_error(400, "malformed")),
    }
    let mut socket = account.socket(id).open().await;
    socket.send_beyond_schemas(body).await;
    let received = socket.next().await;
    assert!(
        received.get("error").is_some() || received["message"] == "two",
        "{received}"
    );
}

#[tokio::test]
async fn aborted_sockets_release_their_slots() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    for _ in 0..3 {
        // The slots of lost connections must become free again.
        let opening = (0..15).map(async |_| account.socket(id).v2().open().await);
        for socket in join_all(opening).await {
            socket.drop_connection();
        }
        colloquy_blackbox::eventually("a slot for a socket is free again", async || {
            let mut socket = account.socket(id).attempt().await.ok()?;
            socket.send_text(r#"{"type":"ping"}"#).await;
            matches!(socket.receive(TIMEOUT).await, Received::Frame(_)).then_some(())
        })
        .await;
    }
    let mut socket = account.socket(id).v2().open().await;
    other.send_retrying(id, "still here").await;
    socket.expect_message("still here").await;
    still_works(&server).await;
}
