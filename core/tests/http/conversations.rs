//! Creating, listing and reading conversations.

use std::sync::atomic::Ordering;

use colloquy_core::ports::CachedSummaries;
use colloquy_proto::domain::{ConversationId, Epoch, Seq};
use serde_json::json;

use crate::fakes::{MEMBERS, member};
use crate::server::Server;

const LIST: &str = "/api/chat/conversations/";

#[tokio::test]
async fn conversation_is_created_or_found() {
    let server = Server::new().await;
    assert_eq!(
        server
            .post_as_ann(LIST, r#"{"participants":[2,3,1,3]}"#)
            .await
            .status,
        201
    );
    assert_eq!(
        server
            .post_as_ann(LIST, r#"{"participants":[2]}"#)
            .await
            .status,
        200
    );
    let response = server
        .post_as_ann(LIST, r#"{"participants":[2,98,99]}"#)
        .await;
    assert_eq!(response.status, 400);
    assert_eq!(
        response.json()["participants"],
        json!([
            "Invalid pk \"98\" - object does not exist.",
            "Invalid pk \"99\" - object does not exist."
        ])
    );
    for body in [
        "{}",
        r#"{"participants":[]}"#,
        r#"{"participants":[1]}"#,
        r#"{"participants":null}"#,
    ] {
        let response = server.post_as_ann(LIST, body).await;
        assert!(
            response.status == 400 && response.json()["participants"].is_array(),
            "{body}"
        );
    }
    let response = server
        .post_as_ann(LIST, r#"{"participants":[2],"kind":"channel"}"#)
        .await;
    assert!(response.json()["kind"].is_array());
}

#[tokio::test]
async fn repeated_list_requests_only_changed_summaries() {
    let server = Server::new().await;
    let first = server.get_as_ann(LIST).await;
    assert_eq!(
        *server.store.cached.lock().unwrap(),
        CachedSummaries::default()
    );
    assert_eq!(first.json().as_array().unwrap().len(), 5);
    assert_eq!(server.get_as_ann(LIST).await.json(), first.json());
    let cached = |seq| CachedSummaries {
        epoch: Some(Epoch("e1".into())),
        at: (1..=5)
            .rev()
            .map(|id| (ConversationId(id), Seq(seq)))
            .collect(),
    };
    assert_eq!(*server.store.cached.lock().unwrap(), cached(0));
    server.store.listed_seq.store(7, Ordering::Relaxed);
    let changed = server.get_as_ann(LIST).await.json();
    assert_eq!(*server.store.cached.lock().unwrap(), cached(0));
    assert!(
        changed
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["seq"] == 7)
    );
    assert_eq!(server.get_as_ann(LIST).await.json(), changed);
    assert_eq!(*server.store.cached.lock().unwrap(), cached(7));
}

#[tokio::test]
async fn link_header_leads_to_the_next_page() {
    let server = Server::new().await;
    let mut path = format!("{LIST}?limit=2");
    let mut seen = Vec::new();
    loop {
        let response = server.get_as_ann(&path).await;
        seen.extend(
            response
                .json()
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_i64().unwrap()),
        );
        let Some((next, rest)) = response.header("link").split_once('>') else {
            break;
        };
        assert_eq!(rest, "; rel=\"next\"");
        // Relative to the request, whose path a proxy may have shortened.
        let query = next.strip_prefix("<?").expect("a query only");
        path = format!("{LIST}?{query}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=-1",
        "cursor=x",
        "cursor=MTI",
    ] {
        let response = server.get_as_ann(&format!("{LIST}?{query}")).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (400, "invalid"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let server = Server::new().await;
    let mut path = format!("{LIST}1/members/?limit=2");
    let mut seen = Vec::new();
    loop {
        let response = server.get_as_ann(&path).await;
        let page = response.json();
        seen.extend(page.as_array().unwrap().clone());
        let Some((next, rest)) = response.header("link").split_once('>') else {
            break;
        };
        assert_eq!(rest, "; rel=\"next\"");
        let query = next.strip_prefix("<?").expect("a query only");
        path = format!("{LIST}1/members/?{query}");
    }
    let expected = (1..=MEMBERS).map(|id| json!(member(id)));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    for query in [
        "limit=0",
        "limit=101",
        "cursor=x",
        "cursor=bTA",
        "cursor=MTI",
    ] {
        let response = server
            .get_as_ann(&format!("{LIST}1/members/?{query}"))
            .await;
        assert_eq!(response.status, 400, "{query}");
    }
}

#[tokio::test]
async fn invalid_or_foreign_conversation_id_is_rejected() {
    let server = Server::new().await;
    for id in [
        "x",
        "0",
        "-1",
        "+1",
        "1.5",
        "99",
        "99999999999999999999",
        "%00",
        "%ff",
        "%2e%2e",
        "1%202",
        "١",
    ] {
        let path = format!("{LIST}{}/", id.replace('١', "%D9%A1"));
        let response = server.get_as_ann(&path).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (404, "not_found"),
            "{id}"
        );
    }
    for path in [
        "/api/chat/conversations/2/",
        "/api/chat/conversations/2/messages/",
        "/api/chat/conversations/2/members/",
    ] {
        let response = server.get_as_ann(path).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (403, "not_member")
        );
    }
}
