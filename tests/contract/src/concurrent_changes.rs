//! Concurrent changes, by one server or two.

use futures_util::future::{join, join_all};

use super::Fixture;
use super::fixtures::{
    LATER, add, append_one, delete, done, edit, events, history, pair, person, remove, say, send,
    stored, texts,
};
use colloquy_core::ports::ChangeOutcome;
use colloquy_proto::domain::Timestamp;
use colloquy_proto::protocol::Event;

/// Two servers send, edit and change members: the order is dense, and each event is stored once.
pub async fn concurrent_changes_and_sends_have_one_order(fixture: &dyn Fixture) {
    const ROUNDS: usize = 12;
    let (store, other) = (fixture.store(), fixture.other_store());
    let (ada, bob, id) = pair(store).await;
    let cora = person(store, "cora").await;
    let said = say(store, &ada, id, "text 0").await.message_id;
    let sends = async {
        for round in 0..ROUNDS {
            let one = send(&bob, id, "alone");
            if round % 2 == 0 {
                stored(&append_one(other, one).await);
            } else {
                let both = other.append(&[one, send(&bob, id, "and another")]).await;
                assert_eq!(both.unwrap().outcomes.len(), 2);
            }
        }
    };
    let edits = async {
        for round in 1..=ROUNDS {
            done(edit(store, &ada, id, said, &format!("text {round}")).await);
        }
    };
    let members = async {
        for _ in 0..ROUNDS / 2 {
            done(add(other, &bob, id, cora.id()).await);
            done(remove(store, &ada, id, cora.id()).await);
        }
    };
    join(join(sends, edits), members).await;
    let all = events(store, id, 0).await;
    let expected = 1 + ROUNDS + ROUNDS / 2 + ROUNDS + ROUNDS;
    let seqs: Vec<i64> = all.iter().map(|event| event.seq().0).collect();
    assert_eq!(
        seqs,
        (1..=i64::try_from(expected).unwrap()).collect::<Vec<_>>()
    );
    let numbers: Vec<i64> = all
        .iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.number.0),
            _ => None,
        })
        .collect();
    assert!(
        (1..)
            .zip(&numbers)
            .all(|(expected, number)| expected == *number)
    );
    let (messages, position) = history(store, &ada, id).await;
    let first = messages.first().unwrap();
    assert_eq!(*first.content, *format!("text {ROUNDS}"));
    assert_eq!(first.version, 1 + i64::try_from(ROUNDS).unwrap());
    assert_eq!(position.number.0, i64::try_from(numbers.len()).unwrap());
}

/// In either order, a deleted text does not return.
pub async fn deletion_wins_over_a_concurrent_edit(fixture: &dyn Fixture) {
    let (store, other) = (fixture.store(), fixture.other_store());
    let (ada, bob, id) = pair(store).await;
    for round in 0..20 {
        let said = say(store, &ada, id, "a secret").await.message_id;
        let text = format!("the secret of round {round}");
        let (edited, deleted) = join(
            edit(store, &ada, id, said, &text),
            delete(other, &ada, id, said),
        )
        .await;
        done(deleted);
        assert!(
            matches!(edited, ChangeOutcome::Done(_) | ChangeOutcome::Deleted),
            "{edited:?}"
        );
        // Repeated deletions change nothing.
        let both = join_all([delete(store, &ada, id, said), delete(other, &ada, id, said)]).await;
        assert_eq!(both, [ChangeOutcome::Unchanged, ChangeOutcome::Unchanged]);
    }
    assert!(
        texts(store, &bob, id)
            .await
            .iter()
            .all(|text| text.is_empty())
    );
    let at = store
        .position(&bob.caller, id, Timestamp(LATER.0 - 1))
        .await;
    let at = at.unwrap().unwrap();
    let events = events(store, id, 0).await;
    assert_eq!(at.seq.0, i64::try_from(events.len()).unwrap());
}

/// Repeats of a change that was not acknowledged in time: one call does it, the others return
/// `Unchanged`.
pub async fn concurrent_identical_changes_are_done_once(fixture: &dyn Fixture) {
    let stores = [fixture.store(), fixture.other_store()];
    let (ada, bob, id) = pair(stores[0]).await;
    let cora = person(stores[0], "cora").await;
    let only_one = |changes: Vec<ChangeOutcome>| {
        let done = changes
            .iter()
            .filter(|changed| matches!(changed, ChangeOutcome::Done(_)));
        assert_eq!(done.count(), 1, "{changes:?}");
        let unchanged = |changed: &&ChangeOutcome| **changed == ChangeOutcome::Unchanged;
        assert_eq!(changes.iter().filter(unchanged).count(), changes.len() - 1);
    };
    let eight = || stores.into_iter().cycle().take(8);
    for round in 0..10 {
        let said = say(stores[0], &ada, id, "helo").await.message_id;
        let text = format!("hello {round}");
        only_one(join_all(eight().map(|store| edit(store, &ada, id, said, &text))).await);
        only_one(join_all(eight().map(|store| delete(store, &ada, id, said))).await);
        only_one(join_all(eight().map(|store| add(store, &bob, id, cora.id()))).await);
        only_one(join_all(eight().map(|store| remove(store, &ada, id, cora.id()))).await);
    }
    let events = events(stores[0], id, 0).await;
    assert_eq!(events.len(), 50);
}
