//! What nobody sends in good faith, over REST and sockets: it is refused or kept as the plain text
//! it is, and the server goes on.

use colloquy_blackbox::{Account, Api, Group, Received, Server, TIMEOUT, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// Texts that are something else to whoever does not quote them.
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

/// Refused frames that one socket may send in ten seconds.
const ALLOWED: usize = 100;

/// That the server still serves, as a user would see it.
async fn still_works(server: &Server) {
    let health = Api::anonymous(server)
        .get("/health/")
        .await
        .expect_status(200);
    assert_eq!(health["database"], true, "{health}");
}

/// JSON nested this deep, closed properly.
fn deep(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test]
async fn messages_of_any_text_stay_the_text_they_are() {
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
async fn names_of_any_text_stay_the_text_they_are() {
    let server = Server::under_test();
    let people = Account::register_many(&server, 2).await;
    let api = Api::anonymous(&server);
    for text in TEXTS {
        let mut fields = Account::registration();
        fields["first_name"] = json!(text);
        let user = api
            .post("/api/users/register/", &fields)
            .await
            .expect_status(201);
        // Names are kept without the space around them.
        assert_eq!(user["first_name"], text.trim());
        let fields = json!({"participants": [people[1].id], "name": text});
        let made = people[0]
            .api
            .post("/api/chat/conversations/", &fields)
            .await;
        assert_eq!(made.expect_status(201)["name"], text.trim());
    }
    still_works(&server).await;
}

#[tokio::test]
async fn fields_with_an_alphabet_refuse_such_texts_and_logins_do_not_know_them() {
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
        let answer = api.post("/api/users/login/", &fields).await;
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        let fields = json!({"refresh": text});
        let answer = api.post("/api/users/token/refresh/", &fields).await;
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        let mut fields = json!({"message": "x"});
        fields["client_message_id"] = json!(text);
        let answer = account.api.post(&messages, &fields).await;
        // Without spaces and in ASCII some of them are honest ids.
        assert!(matches!(answer.status, 201 | 400 | 429), "{answer}");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn json_too_deep_is_refused_over_rest() {
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
            let answer = request.raw_body("application/json", body).send().await;
            assert_eq!(answer.status, 400, "{answer}");
        }
    }
    still_works(&server).await;
}

#[tokio::test]
async fn json_too_deep_is_refused_on_a_socket() {
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
    // What is deep in a field nobody reads may be ignored like the field; nothing may break.
    let mut socket = account.socket(id).v2().open().await;
    let nested = deep("[", "]", 10_000);
    let frame = format!(
        "{{\"type\":\"send\",\"client_message_id\":\"{}\",\"message\":\"x\",\"more\":{nested}}}",
        unique("m")
    );
    socket.send_text(&frame).await;
    let answer = socket.find("ack or error", |frame| {
        frame["type"] == "ack" || frame["type"] == "error"
    });
    answer.await;
    other.send_retrying(id, "unharmed").await;
    socket
        .find("the message", |frame| frame["message"] == "unharmed")
        .await;
    still_works(&server).await;
}

#[tokio::test]
async fn numbers_beyond_every_type_are_refused() {
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
            let answer = request
                .raw_body("application/json", body.clone())
                .send()
                .await;
            assert_eq!(answer.status, 400, "{body}: {answer}");
        }
        if number == "0" {
            // As a position it is the beginning.
            continue;
        }
        let mut socket = account.socket(id).v2().open().await;
        let epoch = socket.epoch();
        let frame = format!("{{\"type\":\"resume\",\"since\":{number},\"epoch\":\"{epoch}\"}}");
        socket.send_text(&frame).await;
        let answer = socket.next().await;
        assert!(
            matches!(answer["type"].as_str(), Some("reset" | "error")),
            "{number}: {answer}"
        );
    }
}

#[tokio::test]
async fn keys_said_twice_do_not_confuse() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let request = account.api.request(
        Method::POST,
        &format!("/api/chat/conversations/{id}/messages/"),
    );
    let body = r#"{"message":"one","message":"two"}"#;
    let answer = request.raw_body("application/json", body).send().await;
    // Refused or the last counts (RFC 8259 §4 leaves it open); not something in between.
    match answer.status {
        201 => assert_eq!(answer.expect_status(201)["content"], "two"),
        _ => drop(answer.expect_error(400, "malformed")),
    }
    let mut socket = account.socket(id).open().await;
    socket.send_text(body).await;
    let received = socket.next().await;
    assert!(
        received.get("error").is_some() || received["message"] == "two",
        "{received}"
    );
}

#[tokio::test]
async fn a_flood_of_refused_frames_is_closed_and_disturbs_nobody_else() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let mut listener = other.socket(id).v2().open().await;
    let mut socket = account.socket(id).v2().open().await;
    // As many as are borne …
    for _ in 0..ALLOWED {
        socket.send_text("{\"type\":\"dance\"}").await;
    }
    for _ in 0..ALLOWED {
        assert_eq!(socket.expect_frame("error").await["code"], "unknown_type");
    }
    // … and then some: told to slow down, and for how long.
    for _ in 0..20 * ALLOWED {
        if socket.try_send_text("{\"type\":\"dance\"}").await.is_err() {
            break;
        }
    }
    let close = socket.expect_close().await;
    assert_eq!(close.code, 4100, "{close:?}");
    assert!(close.reason.contains("after_ms="), "{close:?}");
    other.send_retrying(id, "undisturbed").await;
    listener.expect_message("undisturbed").await;
    still_works(&server).await;
}

#[tokio::test]
async fn sockets_that_come_and_go_leave_nothing_behind() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    for _ in 0..3 {
        // As many as a user may hold, lost without a word: their places must be free again.
        let opening = (0..15).map(async |_| account.socket(id).v2().open().await);
        for socket in join_all(opening).await {
            socket.drop_connection();
        }
        colloquy_blackbox::eventually("there is place for a socket again", async || {
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
