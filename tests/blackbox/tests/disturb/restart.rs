//! The server itself goes and comes back: in good order, or without a word.

use colloquy_tests::{Account, Control, Group, Server, eventually, unique};
use serde_json::json;

use crate::crowd::Crowd;
use crate::turn;

async fn control(left_out: &str) -> Option<Control> {
    Control::with("server", left_out).await
}

/// Whether sockets hear of a restart by a code. Where they do not, the line is just lost, and the
/// rest of what is promised holds all the same.
async fn says_farewell() -> bool {
    let control = Control::with("farewell", "the code of a restart").await;
    control.is_some()
}

#[tokio::test]
async fn a_restart_closes_sockets_with_4000_and_loses_nothing() {
    let Some(control) = control("a restart under load").await else {
        return;
    };
    let _turn = turn(&control).await;
    let crowd = Crowd::start().await;
    crowd.progress(2).await;
    control.act("server", "restart").await;
    crowd.progress(3).await;
    let diaries = crowd.finish().await;
    if !says_farewell().await {
        return;
    }
    for diary in diaries {
        let codes: Vec<u16> = diary.closes.iter().map(|close| close.code).collect();
        assert_eq!(codes.first(), Some(&4000), "{}: {codes:?}", diary.name);
    }
}

#[tokio::test]
async fn a_killed_server_has_kept_everything_it_acknowledged() {
    let Some(control) = control("a killed server under load").await else {
        return;
    };
    let _turn = turn(&control).await;
    let crowd = Crowd::start().await;
    for _ in 0..3 {
        crowd.progress(2).await;
        control.act("server", "kill").await;
    }
    crowd.progress(2).await;
    crowd.finish().await;
}

#[tokio::test]
async fn quiet_sockets_hear_of_a_restart_and_resume_what_they_missed() {
    let Some(control) = control("a restart of quiet sockets").await else {
        return;
    };
    let _turn = turn(&control).await;
    let server = Server::under_test();
    let group = Group::of(&server, 3).await;
    let mut v2 = group.members[0].socket(group.id).v2().open().await;
    let mut v1 = group.members[1].socket(group.id).open().await;
    let (since, epoch) = (v2.position(), v2.epoch());
    control.act("server", "stop").await;
    let expected = if says_farewell().await { 4000 } else { 1006 };
    for close in [v2.closed().await, v1.closed().await] {
        assert_eq!(close.code, expected, "{close:?}");
    }
    let opened = group.members[0].socket(group.id).v2().attempt().await;
    assert!(opened.is_err(), "a server that is stopped opened a socket");
    control.act("server", "start").await;
    let missed = group.members[2].say(group.id, "while you were away").await;
    let mut v2 = group.members[0].socket(group.id).v2().open().await;
    v2.resume(since, &epoch).await;
    assert_eq!(v2.events(1).await[0]["message_id"], missed["id"]);
    assert_eq!(v2.resumed().await["type"], "sync");
}

#[tokio::test]
async fn logins_and_ids_outlive_the_server() {
    let Some(control) = control("logins after a restart").await else {
        return;
    };
    let _turn = turn(&control).await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let gone = account.log_in().await;
    gone.log_out().await.expect(205);
    let key = unique("m");
    let first = account.send(id, &key, "before").await.expect(201);
    let mut kept = 1;
    for action in ["restart", "kill"] {
        control.act("server", action).await;
        account.profile().await.expect(200);
        gone.profile().await.refused(401, "session_revoked");
        gone.refresh().await.refused(401, "session_revoked");
        assert_eq!(gone.socket(id).refused().await.code, 4401);
        // Also while the throttle holds the sender to another send.
        kept += 1;
        account.send(id, &unique("m"), "after").await.expect(201);
        let again = account.send(id, &key, "before").await.expect(200);
        assert_eq!(
            (&again["id"], &again["duplicate"]),
            (&first["id"], &json!(true))
        );
        let history = other.history(id).await;
        assert_eq!(history.len(), kept, "{history:?}");
    }
    account.refresh().await.expect(200);
}

#[tokio::test]
async fn a_server_that_came_back_is_whole() {
    let Some(control) = control("the health of a server that was killed").await else {
        return;
    };
    let _turn = turn(&control).await;
    control.act("server", "kill").await;
    let account = Account::new(&Server::under_test()).await;
    eventually("the server is healthy", async || {
        let health = account.api.get("/health/").await.expect(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
    account.api.get("/health/ready/").await.expect(200);
}
