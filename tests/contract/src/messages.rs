//! Editing and deleting messages, and their events among all others.

use super::Fixture;
use super::fixtures::{
    NOW, add, append_one, delete, done, edit, events, group, history, list, pair, remove, say,
    send, send_as, stored, texts,
};
use colloquy_core::ports::{AppendOutcome, ChangeOutcome};
use colloquy_proto::domain::{MessageId, MessageNumber, Seq};
use colloquy_proto::protocol::{DeletedEvent, EditedEvent, Event};

/// The event takes the conversation's next `seq`; the change and later reads return the same event.
pub async fn edit_is_an_event_and_changes_every_read(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let first = say(store, &ada, id, "Helo").await;
    say(store, &bob, id, "what?").await;
    let change = done(edit(store, &ada, id, first.message_id, "Hello \"you\" \\").await);
    let edited = EditedEvent {
        seq: Seq(3),
        message_id: first.message_id,
        message: "Hello \"you\" \\".into(),
        version: 2,
        user_id: ada.id(),
        timestamp: NOW,
    };
    assert_eq!(change.event, Event::Edited(edited.clone()));
    let (messages, position) = history(store, &bob, id).await;
    assert_eq!((position.seq, position.number), (Seq(3), MessageNumber(2)));
    assert_eq!(change.epoch, position.epoch);
    let [now, other] = &*messages else {
        panic!("{messages:?}");
    };
    assert_eq!((&now.content, now.version), (&edited.message, 2));
    assert_eq!(
        (now.seq, now.number, now.timestamp),
        (Seq(1), MessageNumber(1), first.timestamp)
    );
    assert_eq!((&*other.content, other.version), ("what?", 1));
    let expected = [
        Event::Message(now.clone().into()),
        Event::Message(other.clone().into()),
        Event::Edited(edited),
    ];
    assert_eq!(events(store, id, 0).await, expected);
    // A repeat changes nothing; another edit has the next version.
    assert_eq!(
        edit(store, &ada, id, first.message_id, "Hello \"you\" \\").await,
        ChangeOutcome::Unchanged
    );
    let again = done(edit(store, &ada, id, first.message_id, "Hello").await);
    assert_eq!((again.event.seq(), again.event.version()), (Seq(4), 3));
    // The first edit's event now carries the newest text.
    let [_, _, Event::Edited(one), Event::Edited(two)] = &*events(store, id, 0).await else {
        panic!("two edits");
    };
    assert_eq!((&*one.message, one.version), ("Hello", 3));
    assert_eq!((&*two.message, two.version), ("Hello", 3));
    // An edit takes a seq but no number.
    let third = say(store, &bob, id, "hi").await;
    assert_eq!((third.seq, third.number), (Seq(5), MessageNumber(3)));
    let whole = store.conversation(&bob.caller, id, NOW).await;
    let whole = whole.unwrap().unwrap();
    assert_eq!((whole.seq, whole.number), (Seq(5), MessageNumber(3)));
    assert_eq!(&*whole.messages.first().unwrap().content, "Hello");
}

/// The text is gone from the history, the list and every event that is read afterwards.
pub async fn deleted_message_has_no_text_anywhere(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let said = say(store, &ada, id, "a secret").await;
    done(edit(store, &ada, id, said.message_id, "the secret").await);
    let change = done(delete(store, &ada, id, said.message_id).await);
    let deleted = DeletedEvent {
        seq: Seq(3),
        message_id: said.message_id,
        version: 3,
        user_id: ada.id(),
        timestamp: NOW,
    };
    assert_eq!(change.event, Event::Deleted(deleted));
    let (messages, _) = history(store, &bob, id).await;
    let shown = messages.first().unwrap();
    assert_eq!((&*shown.content, shown.version), ("", 3));
    for event in events(store, id, 0).await {
        assert!(!event.encode().contains("secret"), "{event:?}");
    }
    let listed = list(store, &bob).await;
    let newest = listed.first().unwrap().last_message.as_ref().unwrap();
    assert_eq!((&*newest.content, newest.version), ("", 3));
    // A repeat changes nothing, and an edit does not restore it.
    assert_eq!(
        delete(store, &ada, id, said.message_id).await,
        ChangeOutcome::Unchanged
    );
    let revived = edit(store, &ada, id, said.message_id, "again").await;
    assert_eq!(revived, ChangeOutcome::Deleted);
    assert_eq!(history(store, &bob, id).await.1.seq, Seq(3));
}

/// The message is found in its own conversation only.
pub async fn only_the_sender_changes_a_message(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let said = say(store, &ada, id, "mine").await.message_id;
    let elsewhere = group(store, &ada, &[&bob]).await.id;
    assert_eq!(
        edit(store, &bob, id, said, "ours").await,
        ChangeOutcome::NotSender
    );
    assert_eq!(
        delete(store, &bob, id, said).await,
        ChangeOutcome::NotSender
    );
    for (conversation, message) in [(elsewhere, said), (id, MessageId(said.0 + 1))] {
        let edited = edit(store, &ada, conversation, message, "moved").await;
        assert_eq!(edited, ChangeOutcome::UnknownMessage);
        assert_eq!(
            delete(store, &ada, conversation, message).await,
            ChangeOutcome::UnknownMessage
        );
    }
    assert_eq!(texts(store, &bob, id).await, ["mine".into()]);
    assert_eq!(events(store, id, 1).await, []);
}

/// From any position and with any limit, the events are the same and without a gap.
pub async fn events_of_all_kinds_follow_a_position(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let mut said = Vec::new();
    for round in 0..4 {
        said.push(say(store, &ada, id, &format!("round {round}")).await);
        say(store, &bob, id, "mhm").await;
        done(remove(store, &bob, id, bob.id()).await);
        done(
            edit(
                store,
                &ada,
                id,
                said.first().unwrap().message_id,
                &format!("no {round}"),
            )
            .await,
        );
        done(add(store, &ada, id, bob.id()).await);
        done(delete(store, &ada, id, said.last().unwrap().message_id).await);
        say(store, &ada, id, "well").await;
        if round == 0 {
            // The deleted message cannot be edited in the next rounds.
            said.first_mut().unwrap().message_id = say(store, &ada, id, "kept").await.message_id;
        }
    }
    let all = events(store, id, 0).await;
    let seqs: Vec<i64> = all.iter().map(|event| event.seq().0).collect();
    assert_eq!(seqs, (1..=29).collect::<Vec<_>>());
    for since in 0..=30_usize {
        for limit in [1_usize, 2, 7, 40] {
            let read = store.events(
                id,
                Seq(i64::try_from(since).unwrap()),
                i64::try_from(limit).unwrap(),
            );
            let read = read.await.unwrap().unwrap();
            let expected: Vec<_> = all.iter().skip(since).take(limit).cloned().collect();
            assert_eq!(read.events, expected, "{limit} after {since}");
            assert_eq!(read.position.seq, Seq(29));
        }
    }
}

/// It returns the first result, with the position it was stored at.
pub async fn repeat_of_an_edited_send_is_a_duplicate(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, _, id) = pair(store).await;
    let once = || send_as(&ada, id, "once", "hello");
    let first = stored(&append_one(store, once()).await);
    done(edit(store, &ada, id, first.message_id, "bye").await);
    assert_eq!(
        append_one(store, once()).await,
        AppendOutcome::Duplicate(first.clone())
    );
    done(delete(store, &ada, id, first.message_id).await);
    let several = store
        .append(&[once(), send(&ada, id, "more")])
        .await
        .unwrap();
    let [AppendOutcome::Duplicate(again), AppendOutcome::Stored(more)] = &*several.outcomes else {
        panic!("{several:?}");
    };
    assert_eq!(*again, first);
    assert_eq!((more.seq, more.number), (Seq(4), MessageNumber(2)));
}
