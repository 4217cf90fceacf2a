//! Opening a socket: the three places of a token, and close codes.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;

use crate::fakes::NOW;
use crate::server::{Server, TestResponse};

async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = Request::get(path)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn token_is_accepted_in_query_header_and_subprotocol() {
    let server = Server::new().await;
    let token = server.token();
    let query = format!("/ws/chat/1/?token={token}");
    let protocols = format!("chat.v2, bearer.{token}");
    let bearer = format!("Bearer {token}");
    for (path, headers, v2) in [
        (&*query, vec![], "false"),
        (&*query.replace("/?", "?"), vec![], "false"),
        ("/ws/chat/1/", vec![("authorization", &*bearer)], "false"),
        (
            "/ws/chat/1/",
            vec![("sec-websocket-protocol", &*protocols)],
            "true",
        ),
        (
            &*query,
            vec![
                ("sec-websocket-protocol", "other"),
                ("sec-websocket-protocol", "chat.v2"),
            ],
            "true",
        ),
    ] {
        let response = open(&server, path, &headers).await;
        assert_eq!(
            (response.status.as_u16(), response.header("x-opened")),
            (101, "1"),
            "{path}"
        );
        assert_eq!(response.header("x-v2"), v2);
    }
}

#[tokio::test]
async fn refusal_is_a_close_code() {
    let server = Server::new().await;
    let token = server.token();
    let close_code = async |path: String| {
        let response = open(&server, &path, &[("sec-websocket-protocol", "chat.v2")]).await;
        assert_eq!(
            (response.status.as_u16(), response.header("x-v2")),
            (101, "true"),
            "{path}"
        );
        response.header("x-closed").to_owned()
    };
    assert_eq!(close_code("/ws/chat/1/".to_owned()).await, "4401");
    assert_eq!(close_code("/ws/chat/x/?token=".to_owned()).await, "4401");
    assert_eq!(
        close_code(format!("/ws/chat/1/?token={}", server.refresh_token(0))).await,
        "4401"
    );
    assert_eq!(
        close_code(format!("/ws/chat/2/?token={token}")).await,
        "4403"
    );
    assert_eq!(
        close_code(format!("/ws/chat/99/?token={token}")).await,
        "4404"
    );
    assert_eq!(
        close_code(format!("/ws/chat/x/?token={token}")).await,
        "4404"
    );
    for failure in [1, 2] {
        server.store.failure.store(failure, Ordering::Relaxed);
        assert_eq!(
            close_code(format!("/ws/chat/1/?token={token}")).await,
            "4101"
        );
    }
    server.store.failure.store(0, Ordering::Relaxed);
    let logout = format!("{{\"refresh\":\"{}\"}}", server.refresh_token(0));
    assert_eq!(
        server
            .post_as_ann("/api/users/logout/", logout)
            .await
            .status,
        205
    );
    assert_eq!(
        close_code(format!("/ws/chat/1/?token={token}")).await,
        "4401"
    );
    server.clock.0.store(NOW.0 + 900_000, Ordering::Relaxed);
    assert_eq!(
        close_code(format!("/ws/chat/1/?token={token}")).await,
        "4200"
    );
}

#[tokio::test]
async fn request_without_upgrade_is_rejected() {
    let server = Server::new().await;
    let response = server.get_as_ann("/ws/chat/1/").await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (426, "upgrade_required")
    );
    assert_eq!(response.header("upgrade"), "websocket");
    assert_eq!(server.post("/ws/chat/1/", "{}").await.status, 405);
}

#[tokio::test]
async fn malformed_handshake_is_rejected_before_the_token_is_read() {
    let server = Server::new().await;
    let path = format!("/ws/chat/1/?token={}", server.token());
    for (headers, status, code) in [
        (
            [("sec-websocket-version", "13")].as_slice(),
            426,
            "upgrade_required",
        ),
        (
            &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")],
            400,
            "malformed",
        ),
    ] {
        // In addition to the valid headers: repeated.
        let response = open(&server, &path, headers).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (status, code),
            "{headers:?}"
        );
    }
    let request = Request::get(&path)
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let response = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status, 426);
    assert_eq!(response.header("sec-websocket-version"), "13");
}

#[tokio::test]
async fn socket_with_two_authorization_headers_is_refused() {
    let server = Server::new().await;
    let bearer = format!("Bearer {}", server.token());
    let joined = format!("{bearer}, {bearer}");
    for headers in [
        vec![("authorization", &*bearer), ("authorization", &*bearer)],
        vec![("authorization", &*joined)],
    ] {
        let response = open(&server, "/ws/chat/1/", &headers).await;
        assert_eq!(response.header("x-closed"), "4401");
    }
}
