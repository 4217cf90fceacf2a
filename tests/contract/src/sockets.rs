//! Admitting sockets.

use super::Fixture;
use super::fixtures::{NOW, add, done, pair, person, remove, say};
use colloquy_proto::domain::{MessageNumber, Seq};

/// The position is that of the conversation; the last removal is 0 until a member is removed.
pub async fn admission_reports_position_and_last_removal(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let cora = person(store, "cora").await;
    say(store, &bob, id, "hello").await;
    done(add(store, &ada, id, cora.id()).await);
    let admission = store.admit(&bob.caller, id, NOW).await.unwrap().unwrap();
    let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(admission.position, position);
    assert_eq!((position.seq, position.number), (Seq(2), MessageNumber(1)));
    assert_eq!(admission.last_removal_seq, Seq(0));
    done(remove(store, &ada, id, cora.id()).await);
    say(store, &bob, id, "bye").await;
    let admission = store.admit(&bob.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(admission.position.seq, Seq(4));
    assert_eq!(admission.last_removal_seq, Seq(3));
}
