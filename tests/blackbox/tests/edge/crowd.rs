//! A Room of a thousand sockets, awake and woken.

use colloquy_tests::{Group, Socket};
use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, iter};

use crate::journal::{ATTEMPTS, Journal};
use crate::watched;

/// As many as one user may have, and users enough.
const EACH: usize = 20;
const PEOPLE: usize = 50;

/// Handshakes under way at once.
const AT_ONCE: usize = 50;

async fn all_hear(sockets: &mut [Socket], text: &str) {
    let hearing = sockets.iter_mut().map(async |socket| {
        socket.expect_message(text).await;
    });
    join_all(hearing).await;
}

#[tokio::test]
async fn a_thousand_sockets_hear_a_message_and_sleep_and_hear_the_next() {
    let (_undisturbed, server, journal) = watched().await;
    let group = Group::of(&server, PEOPLE).await;
    let opening = (0..PEOPLE * EACH).map(async |turn| {
        let member = &group.members[turn % PEOPLE];
        member.socket(group.id).v2().open().await
    });
    let mut sockets: Vec<Socket> = iter(opening).buffer_unordered(AT_ONCE).collect().await;
    group.members[0].say(group.id, "all here").await;
    all_hear(&mut sockets, "all here").await;
    for turn in 1..=ATTEMPTS {
        let (before, _) = journal.wakes(group.id).await;
        Journal::idle().await;
        let text = format!("good morning {turn}");
        group.members[turn].say(group.id, &text).await;
        all_hear(&mut sockets, &text).await;
        let (after, connections) = journal.wakes(group.id).await;
        if after > before {
            assert_eq!((after - before, connections), (1, 1_000));
            return;
        }
    }
    panic!("the Room never slept");
}
