//! Concurrent calls, over two servers: what only a real database decides.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all, join3};

use super::Fixture;
use super::fixtures::{
    LATER, NOW, Person, add_up_to, append_one, group, new_conversation, new_session, new_user,
    pair, person, send, send_as, stored, user, whole_history,
};
use colloquy_core::ports::{
    AppendOutcome, ChangeOutcome, CreatedConversation, CreatedUser, Rotation, RotationOutcome,
    Store, StoreError,
};
use colloquy_proto::domain::{ConversationId, ConversationKind, Seq, SessionId, Timestamp};

/// The other call returns that the names are in use.
pub async fn one_of_two_concurrent_registrations_wins(fixture: &dyn Fixture) {
    for round in 0..10 {
        let (one, two) = (
            new_user(&format!("Name{round}")),
            new_user(&format!("name{round}")),
        );
        let (one, two) = join(
            fixture.store().create_user(&one, NOW),
            fixture.other_store().create_user(&two, NOW),
        )
        .await;
        let taken = CreatedUser::Taken {
            username: true,
            email: true,
        };
        match (one.unwrap(), two.unwrap()) {
            (CreatedUser::Created(_), other) | (other, CreatedUser::Created(_)) => {
                assert_eq!(other, taken);
            }
            both => panic!("{both:?}"),
        }
    }
}

/// Two tabs refresh at once: both get the rotation of the one that came first.
pub async fn concurrent_rotations_return_the_same(fixture: &dyn Fixture) {
    let ada = user(fixture.store(), "ada").await;
    for round in 0..10 {
        let session = format!("s{round}");
        fixture
            .store()
            .open_session(&new_session(ada.id, &session))
            .await
            .unwrap();
        let rotation = Rotation {
            session_id: SessionId(session.into()),
            user_id: ada.id,
            generation: 0,
            now: NOW,
            expires_at: LATER,
            repeatable_since: Timestamp(NOW.0 - 1),
            device: None,
        };
        let later = Rotation {
            now: Timestamp(NOW.0 + 1),
            repeatable_since: NOW,
            ..rotation.clone()
        };
        let (one, two) = join(
            fixture.store().rotate_session(&rotation),
            fixture.other_store().rotate_session(&later),
        )
        .await;
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(matches!(one, RotationOutcome::Rotated { .. }), "{one:?}");
        assert_eq!(one, two);
        let next = Rotation {
            generation: 1,
            ..rotation
        };
        let next = fixture.store().rotate_session(&next).await;
        assert_eq!(next.unwrap(), RotationOutcome::Rotated { at: NOW });
    }
}

/// One call creates it, every other call finds it.
pub async fn concurrent_direct_conversations_are_one(fixture: &dyn Fixture) {
    let stores = [fixture.store(), fixture.other_store()];
    let ada = person(fixture.store(), "ada").await;
    for round in 0..10 {
        let bob = person(fixture.store(), &format!("bob{round}")).await;
        let (with_bob, with_ada) = (
            new_conversation(ConversationKind::Direct, &[&bob]),
            new_conversation(ConversationKind::Direct, &[&ada]),
        );
        let calls = (0..8).map(|index| {
            let (who, new_conversation) = if index % 3 == 0 {
                (&bob, &with_ada)
            } else {
                (&ada, &with_bob)
            };
            stores[index % 2].create_conversation(&who.caller, new_conversation, NOW)
        });
        let mut created = 0;
        let mut ids = Vec::new();
        for answer in join_all(calls).await {
            match answer.unwrap().unwrap() {
                CreatedConversation::Created(conversation) => {
                    created += 1;
                    ids.push(conversation.id);
                }
                CreatedConversation::Existing(conversation) => {
                    assert_eq!(conversation.participants.len(), 2);
                    ids.push(conversation.id);
                }
                unknown @ CreatedConversation::UnknownParticipants(_) => panic!("{unknown:?}"),
            }
        }
        ids.dedup();
        assert_eq!((created, ids.len()), (1, 1));
    }
}

/// One of two equal sends is stored, the other returns its result.
fn assert_stored_once(one: &AppendOutcome, two: &AppendOutcome) {
    match (one, two) {
        (AppendOutcome::Stored(first), AppendOutcome::Duplicate(repeat))
        | (AppendOutcome::Duplicate(repeat), AppendOutcome::Stored(first)) => {
            assert_eq!(first, repeat);
        }
        both => panic!("{both:?}"),
    }
}

/// A client repeats a send over another server before the first one responds.
pub async fn concurrent_duplicate_sends_are_stored_once(fixture: &dyn Fixture) {
    let (ada, bob, id) = pair(fixture.store()).await;
    for round in 0..30 {
        let key = format!("k-{round}");
        // In batches with other sends, which are stored.
        let one = [send(&bob, id, "beside"), send_as(&ada, id, &key, "once")];
        let two = [send_as(&ada, id, &key, "once"), send(&bob, id, "beside")];
        let (one, two) = join(
            fixture.store().append(&one),
            fixture.other_store().append(&two),
        )
        .await;
        let (one, two) = (one.unwrap().outcomes, two.unwrap().outcomes);
        stored(&one[0]);
        stored(&two[1]);
        assert_stored_once(&one[1], &two[0]);
        let alone = send_as(&ada, id, &format!("alone-{round}"), "once");
        let (one, two) = join(
            append_one(fixture.store(), alone.clone()),
            append_one(fixture.other_store(), alone),
        )
        .await;
        assert_stored_once(&one, &two);
    }
    let position = fixture
        .store()
        .position(&ada.caller, id, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(position.seq, Seq(120));
}

/// Reads events until there are `total` of them; at no time is there a gap.
async fn follow(store: &dyn Store, id: ConversationId, total: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < total {
        let seen = i64::try_from(texts.len()).unwrap();
        let read = store.events(id, Seq(seen), 300).await.unwrap().unwrap();
        for (position, event) in (seen + 1..).zip(read.events) {
            assert_eq!(event.seq(), Seq(position));
            let colloquy_proto::protocol::Event::Message(message) = event else {
                panic!("{event:?}");
            };
            texts.push(message.message.to_string());
        }
        let now = i64::try_from(texts.len()).unwrap();
        assert!(read.position.seq.0 >= now);
        assert!(
            read.position.seq.0 == now || now - seen == 300,
            "events lag behind the position"
        );
    }
    texts
}

async fn write(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    count: usize,
    done: &AtomicUsize,
) {
    for index in 0..count {
        let key = format!("{}-{index}", who.user.username);
        stored(&append_one(store, send_as(who, id, &key, &key)).await);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The order is dense at all times and the same for every reader.
pub async fn concurrent_writers_have_one_order(fixture: &dyn Fixture) {
    const EACH: usize = 500;
    let (ada, bob, id) = pair(fixture.store()).await;
    let done = AtomicUsize::new(0);
    let ((), (), followed) = join3(
        write(fixture.store(), &ada, id, EACH, &done),
        write(fixture.other_store(), &bob, id, EACH, &done),
        follow(fixture.store(), id, 2 * EACH),
    )
    .await;
    assert_eq!(done.into_inner(), 2 * EACH);
    let messages = whole_history(fixture.store(), &ada, id).await;
    for (position, message) in (1..).zip(&messages) {
        assert_eq!((message.seq.0, message.number.0), (position, position));
    }
    assert!(
        messages
            .iter()
            .map(|message| &*message.content)
            .eq(followed.iter())
    );
    // Each writer's own sends are in the order of its calls.
    for who in [&ada, &bob] {
        let own = followed
            .iter()
            .filter(|text| text.starts_with(&*who.user.username));
        let expected = (0..EACH).map(|index| format!("{}-{index}", who.user.username));
        assert!(own.eq(&expected.collect::<Vec<_>>()));
    }
}

/// As many as there is room for, also beside sends, which advance the conversation as well.
pub async fn concurrent_additions_fill_a_group_exactly(fixture: &dyn Fixture) {
    const MAX: i64 = 6;
    let (ada, bob, id) = pair(fixture.store()).await;
    let mut users = Vec::new();
    for index in 0..12 {
        users.push(user(fixture.store(), &format!("new{index}")).await.id);
    }
    let additions = users.iter().enumerate().map(async |(index, new)| {
        let store = if index % 2 == 0 {
            fixture.store()
        } else {
            fixture.other_store()
        };
        // As a client does after 503, which a call overtaken three times returns.
        loop {
            let added = store.add_member(&ada.caller, id, *new, MAX, NOW).await;
            match added {
                Ok(added) => return added.unwrap(),
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let done = AtomicUsize::new(0);
    let (added, ()) = join(
        join_all(additions),
        write(fixture.store(), &bob, id, 10, &done),
    )
    .await;
    let count =
        |outcome: fn(&ChangeOutcome) -> bool| added.iter().filter(|one| outcome(one)).count();
    assert_eq!(count(|one| matches!(one, ChangeOutcome::Done(_))), 4);
    assert_eq!(count(|one| *one == ChangeOutcome::Full), 8);
    let read = fixture.store().conversation(&bob.caller, id, NOW).await;
    assert_eq!(read.unwrap().unwrap().member_count, MAX);
    let again = add_up_to(fixture.store(), &bob, id, ada.id(), MAX).await;
    assert_eq!(again, ChangeOutcome::Unchanged);
}

/// Two servers append to the same conversations in opposite orders.
pub async fn crossing_batches_do_not_deadlock(fixture: &dyn Fixture) {
    const ROUNDS: usize = 30;
    let (ada, bob, first) = pair(fixture.store()).await;
    let mut ids = vec![first];
    for _ in 1..40 {
        ids.push(group(fixture.store(), &ada, &[&bob]).await.id);
    }
    let run = async |store: &dyn Store, who: &Person, backwards: bool| {
        for _ in 0..ROUNDS {
            let mut sends: Vec<_> = ids.iter().map(|id| send(who, *id, "cross")).collect();
            if backwards {
                sends.reverse();
            }
            for answer in store.append(&sends).await.unwrap().outcomes {
                stored(&answer);
            }
        }
    };
    join(
        run(fixture.store(), &ada, false),
        run(fixture.other_store(), &bob, true),
    )
    .await;
    for id in ids {
        let position = fixture
            .store()
            .position(&ada.caller, id, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(usize::try_from(position.seq.0).unwrap(), 2 * ROUNDS);
    }
}
