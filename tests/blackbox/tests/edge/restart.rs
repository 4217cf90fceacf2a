//! The runtime goes and comes back with the objects' storage, as it does with every deploy: all
//! sockets are lost, and nothing else.

use colloquy_tests::{Account, Control, Group, Server, eventually};

use crate::restarting;

#[tokio::test]
async fn what_a_login_entered_is_known_after_a_restart() {
    let _alone = restarting().await;
    let control = Control::from_env();
    let server = Server::under_test();
    let group = Group::of(&server, 3).await;
    for action in ["restart", "kill"] {
        let phone = group.members[0].log_in().await;
        let mut socket = phone.socket(group.id).v2().open().await;
        let (since, epoch) = (socket.position(), socket.epoch());
        control.act("server", action).await;
        // No code: whoever restarts the runtime does not ask the Rooms.
        assert_eq!(socket.closed().await.code, 1006);
        let missed = group.members[1].say(group.id, "while you were away").await;
        let mut socket = phone.socket(group.id).v2().open().await;
        socket.resume(since, &epoch).await;
        assert_eq!(socket.events(1).await[0]["message_id"], missed["id"]);
        assert_eq!(socket.resumed().await["type"], "sync");
        logged_out(&phone, &group).await;
    }
}

/// The login's end reaches its socket, and is the end also after another restart.
async fn logged_out(phone: &Account, group: &Group) {
    let mut socket = phone.socket(group.id).v2().open().await;
    let mut other = group.members[2].socket(group.id).v2().open().await;
    phone.log_out().await.expect(205);
    assert_eq!(socket.closed().await.code, 4401);
    Control::from_env().act("server", "restart").await;
    assert_eq!(other.closed().await.code, 1006);
    assert_eq!(phone.socket(group.id).refused().await.code, 4401);
    eventually("the server is healthy", async || {
        let health = group.members[2].api.get("/health/").await.expect(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
}
