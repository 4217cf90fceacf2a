//! The runtime restarts and keeps the storage of its objects, as with every deploy: all sockets are
//! lost, and nothing else.

use colloquy_blackbox::{Account, Control, Group, Server, eventually};

use crate::exclusive;

#[tokio::test]
async fn sockets_of_a_session_are_known_after_a_runtime_restart() {
    let _alone = exclusive().await;
    let control = Control::from_env();
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    for action in ["restart", "kill"] {
        let phone = group.members[0].log_in().await;
        let mut socket = phone.socket(group.id).v2().open().await;
        let (since, epoch) = (socket.position(), socket.epoch());
        control.perform("server", action).await;
        // No close code: the runtime stops without notifying the Rooms.
        assert_eq!(socket.expect_close().await.code, 1006);
        let missed = group.members[1]
            .send_retrying(group.id, "while you were away")
            .await;
        let mut socket = phone.socket(group.id).v2().open().await;
        socket.resume(since, &epoch).await;
        assert_eq!(socket.expect_events(1).await[0]["message_id"], missed["id"]);
        assert_eq!(socket.expect_resumed().await["type"], "sync");
        check_logout(&phone, &group).await;
    }
}

/// A logout closes the socket of the session and stays effective after another restart.
async fn check_logout(phone: &Account, group: &Group) {
    let mut socket = phone.socket(group.id).v2().open().await;
    let mut other = group.members[2].socket(group.id).v2().open().await;
    phone.log_out().await.expect_status(205);
    assert_eq!(socket.expect_close().await.code, 4401);
    Control::from_env().perform("server", "restart").await;
    assert_eq!(other.expect_close().await.code, 1006);
    assert_eq!(phone.socket(group.id).expect_refusal().await.code, 4401);
    eventually("the server is healthy", async || {
        let health = group.members[2]
            .api
            .get("/health/")
            .await
            .expect_status(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
}
