use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;

use crate::fakes::NOW;
use crate::server::{Answer, Server};

async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_member_comes_in_with_a_token_given_in_any_of_three_ways() {
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
        let answer = open(&server, path, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-opened")),
            (101, "1"),
            "{path}"
        );
        assert_eq!(answer.header("x-v2"), v2);
    }
}

#[tokio::test]
async fn a_refusal_is_a_close_code() {
    let server = Server::new().await;
    let token = server.token();
    let refused = async |path: String| {
        let answer = open(&server, &path, &[("sec-websocket-protocol", "chat.v2")]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-v2")),
            (101, "true"),
            "{path}"
        );
        answer.header("x-closed").to_owned()
    };
    assert_eq!(refused("/ws/chat/1/".to_owned()).await, "4401");
    assert_eq!(refused("/ws/chat/x/?token=".to_owned()).await, "4401");
    assert_eq!(
        refused(format!("/ws/chat/1/?token={}", server.refresh_token(0))).await,
        "4401"
    );
    assert_eq!(refused(format!("/ws/chat/2/?token={token}")).await, "4403");
    assert_eq!(refused(format!("/ws/chat/99/?token={token}")).await, "4404");
    assert_eq!(refused(format!("/ws/chat/x/?token={token}")).await, "4404");
    for trouble in [1, 2] {
        server.store.trouble.store(trouble, Ordering::Relaxed);
        assert_eq!(refused(format!("/ws/chat/1/?token={token}")).await, "4101");
    }
    server.store.trouble.store(0, Ordering::Relaxed);
    let logout = format!("{{\"refresh\":\"{}\"}}", server.refresh_token(0));
    assert_eq!(
        server
            .post_as_ann("/api/users/logout/", logout)
            .await
            .status,
        205
    );
    assert_eq!(refused(format!("/ws/chat/1/?token={token}")).await, "4401");
    server.clock.0.store(NOW.0 + 900_000, Ordering::Relaxed);
    assert_eq!(refused(format!("/ws/chat/1/?token={token}")).await, "4200");
}

#[tokio::test]
async fn a_socket_is_not_fetched() {
    let server = Server::new().await;
    let answer = server.get_as_ann("/ws/chat/1/").await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.code()),
        (426, "upgrade_required")
    );
    assert_eq!(answer.header("upgrade"), "websocket");
    assert_eq!(server.post("/ws/chat/1/", "{}").await.status, 405);
}
