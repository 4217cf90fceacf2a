//! More at once than a server takes: some are told to come again, and the rest is served.

use colloquy_tests::{Account, Api, Control, Group, Server};
use futures_util::future::join_all;
use reqwest::Method;

use crate::turn;

/// Registrations, the dearest requests there are, all in the same moment.
const REGISTRATIONS: usize = 300;

#[tokio::test]
async fn a_rush_at_the_door_is_let_in_or_told_to_come_again() {
    let _turn = turn(&Control::from_env()).await;
    let server = Server::under_test();
    let (one, other, id) = Group::pair(&server).await;
    let api = Api::anonymous(&server);
    let registrations = (0..REGISTRATIONS).map(async |_| {
        let request = api.request(Method::POST, "/api/users/register/");
        let request = request.json(&Account::fields());
        request.attempt().await.expect("an answer")
    });
    let chatting = async {
        // Whoever is in already does not wait for those at the door.
        let mut socket = one.socket(id).v2().open().await;
        other.say(id, "hardly noticed").await;
        socket.expect_message("hardly noticed").await;
    };
    let (answers, ()) = tokio::join!(join_all(registrations), chatting);
    let mut let_in = 0;
    for answer in &answers {
        if answer.status == 201 {
            let_in += 1;
        } else {
            answer.refused(503, "overloaded");
        }
    }
    assert!(let_in > 0, "nobody was let in");
    Account::new(&server).await.profile().await.expect(200);
}

#[tokio::test]
async fn a_room_full_of_sends_stays_in_order() {
    // Where no throttle holds them back, many more than one commit carries.
    let _turn = turn(&Control::from_env()).await;
    let server = Server::for_volume().await;
    let group = Group::of(&server, server.crowd()).await;
    let mut listener = group.members[0].socket(group.id).v2().open().await;
    let count = if server.throttled() { 40 } else { 1_500 };
    let sends = (0..count).map(async |turn| {
        let member = &group.members[turn % group.members.len()];
        member.say(group.id, &format!("at once {turn}")).await
    });
    let told = join_all(sends).await;
    let events = listener.events(count).await;
    for made in told {
        let index = usize::try_from(made["seq"].as_u64().expect("a seq")).unwrap() - 1;
        assert_eq!(events[index]["message_id"], made["id"]);
    }
}
