//! Changes: to messages that are there, and to who is a member.

use futures_util::future::{join, join_all};

use super::Fixture;
use super::world::{
    LATER, NOW, Person, append_one, group, pair, person, say, send, send_as, stored, texts, wish,
};
use crate::domain::{
    ConversationId, ConversationKind, Message, MessageId, MessageText, Number, Position, Seq,
    Timestamp, UserId,
};
use crate::ports::{Appended, Change, Changed, CreatedConversation, Denied, Page, Store};
use crate::protocol::{DeletedEvent, EditedEvent, Event, MemberChange, MemberEvent};

async fn edit(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    message: MessageId,
    text: &str,
) -> Changed {
    let text = MessageText::new(text.to_owned()).unwrap();
    let changed = store
        .change_message(&who.caller, id, message, Some(&text), NOW)
        .await;
    changed.unwrap().unwrap()
}

async fn delete(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    message: MessageId,
) -> Changed {
    let changed = store.change_message(&who.caller, id, message, None, NOW);
    changed.await.unwrap().unwrap()
}

async fn add(store: &dyn Store, who: &Person, id: ConversationId, user: UserId) -> Changed {
    let changed = store.add_member(&who.caller, id, user, NOW).await;
    changed.unwrap().unwrap()
}

async fn remove(store: &dyn Store, who: &Person, id: ConversationId, user: UserId) -> Changed {
    let changed = store.remove_member(&who.caller, id, user, NOW).await;
    changed.unwrap().unwrap()
}

/// The change, which must have been done.
fn done(changed: Changed) -> Change {
    match changed {
        Changed::Done(change) => *change,
        other => panic!("not done: {other:?}"),
    }
}

async fn history(store: &dyn Store, who: &Person, id: ConversationId) -> (Vec<Message>, Position) {
    let page = store
        .messages(&who.caller, id, Page::Latest, 100, NOW)
        .await;
    let page = page.unwrap().unwrap();
    (page.messages, page.position)
}

async fn events(store: &dyn Store, id: ConversationId, since: i64) -> Vec<Event> {
    let read = store.events(id, Seq(since), 300).await.unwrap().unwrap();
    read.events
}

/// The event is the conversation's next, and told alike by the change and by whoever reads later.
pub async fn an_edit_is_an_event_and_shows_wherever_the_message_does(fixture: &dyn Fixture) {
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
    assert_eq!((position.seq, position.number), (Seq(3), Number(2)));
    assert_eq!(change.epoch, position.epoch);
    let [now, other] = &*messages else {
        panic!("{messages:?}");
    };
    assert_eq!((&now.content, now.version), (&edited.message, 2));
    assert_eq!(
        (now.seq, now.number, now.timestamp),
        (Seq(1), Number(1), first.timestamp)
    );
    assert_eq!((&*other.content, other.version), ("what?", 1));
    let told = [
        Event::Message(now.clone().into()),
        Event::Message(other.clone().into()),
        Event::Edited(edited),
    ];
    assert_eq!(events(store, id, 0).await, told);
    // Asked again, nothing is done; another time it counts on.
    assert_eq!(
        edit(store, &ada, id, first.message_id, "Hello \"you\" \\").await,
        Changed::Unchanged
    );
    let again = done(edit(store, &ada, id, first.message_id, "Hello").await);
    assert_eq!((again.event.seq(), again.event.version()), (Seq(4), 3));
    // What is told of the first edit now is the newest text.
    let [_, _, Event::Edited(one), Event::Edited(two)] = &*events(store, id, 0).await else {
        panic!("two edits");
    };
    assert_eq!((&*one.message, one.version), ("Hello", 3));
    assert_eq!((&*two.message, two.version), ("Hello", 3));
    // The next message follows, and where the list stands has not changed by an edit.
    let third = say(store, &bob, id, "hi").await;
    assert_eq!((third.seq, third.number), (Seq(5), Number(3)));
    let whole = store.conversation(&bob.caller, id, NOW).await;
    let whole = whole.unwrap().unwrap();
    assert_eq!((whole.seq, whole.number), (Seq(5), Number(3)));
    assert_eq!(&*whole.messages.first().unwrap().content, "Hello");
}

/// Neither in the history, nor in the list, nor in any event that is told from then on.
pub async fn a_deleted_message_has_no_text_left(fixture: &dyn Fixture) {
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
    let listed = store.conversations(&bob.caller, None, 10, NOW).await;
    let listed = listed.unwrap().unwrap();
    let newest = listed.first().unwrap().last_message.as_ref().unwrap();
    assert_eq!((&*newest.content, newest.version), ("", 3));
    // Once is enough, and nothing brings it back.
    assert_eq!(
        delete(store, &ada, id, said.message_id).await,
        Changed::Unchanged
    );
    let revived = edit(store, &ada, id, said.message_id, "again").await;
    assert_eq!(revived, Changed::Deleted);
    assert_eq!(history(store, &bob, id).await.1.seq, Seq(3));
}

/// And only where it stands.
pub async fn only_its_writer_changes_a_message(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let said = say(store, &ada, id, "mine").await.message_id;
    let elsewhere = group(store, &ada, &[&bob]).await.id;
    assert_eq!(
        edit(store, &bob, id, said, "ours").await,
        Changed::NotSender
    );
    assert_eq!(delete(store, &bob, id, said).await, Changed::NotSender);
    for (place, message) in [(elsewhere, said), (id, MessageId(said.0 + 1))] {
        let edited = edit(store, &ada, place, message, "moved").await;
        assert_eq!(edited, Changed::UnknownMessage);
        assert_eq!(
            delete(store, &ada, place, message).await,
            Changed::UnknownMessage
        );
    }
    assert_eq!(texts(store, &bob, id).await, ["mine".into()]);
    assert_eq!(events(store, id, 1).await, []);
}

/// Who may do what, and what is told of it.
pub async fn members_come_and_go_by_events(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let (cora, dan) = (person(store, "cora").await, person(store, "dan").await);
    let event = |seq, who: &Person, change, by: &Person| {
        Event::Member(MemberEvent {
            seq: Seq(seq),
            user_id: who.id(),
            username: who.user.username.clone(),
            change,
            by: by.id(),
            timestamp: NOW,
        })
    };
    let mut told = Vec::new();
    let mut note = |change: Change, event: Event| {
        assert_eq!(change.event, event);
        told.push(event);
    };
    // Any member brings others in.
    let joined = done(add(store, &bob, id, cora.id()).await);
    note(joined, event(1, &cora, MemberChange::Joined, &bob));
    assert_eq!(add(store, &bob, id, cora.id()).await, Changed::Unchanged);
    let nobody = add(store, &bob, id, UserId(404_404)).await;
    assert_eq!(nobody, Changed::UnknownUser);
    fixture.deactivate(dan.id()).await;
    assert_eq!(add(store, &bob, id, dan.id()).await, Changed::UnknownUser);
    // Who made the group removes others, whoever is in it leaves.
    assert_eq!(remove(store, &bob, id, cora.id()).await, Changed::NotOwner);
    let join = store.join(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!((join.position.seq, join.left_seq), (Seq(1), Seq(0)));
    let left = done(remove(store, &ada, id, cora.id()).await);
    note(left, event(2, &cora, MemberChange::Left, &ada));
    assert_eq!(remove(store, &ada, id, cora.id()).await, Changed::Unchanged);
    let back = done(add(store, &ada, id, cora.id()).await);
    note(back, event(3, &cora, MemberChange::Joined, &ada));
    let left = done(remove(store, &bob, id, bob.id()).await);
    note(left, event(4, &bob, MemberChange::Left, &bob));
    let join = store.join(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!((join.position.seq, join.left_seq), (Seq(4), Seq(4)));
    assert_eq!(join.position.number, Number(0));
    assert_eq!(events(store, id, 0).await, told);
    let people = store.conversation(&ada.caller, id, NOW).await;
    let people = people.unwrap().unwrap().participants;
    let ids: Vec<_> = people.iter().map(|user| user.id).collect();
    assert_eq!(ids, [ada.id(), cora.id()]);
}

/// By every method, from then on.
pub async fn who_is_no_member_any_more_is_told_so(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let said = say(store, &bob, id, "I was here").await.message_id;
    done(remove(store, &ada, id, bob.id()).await);
    let why = Denied::NotMember;
    let caller = &bob.caller;
    let page = store.messages(caller, id, Page::Latest, 10, NOW).await;
    assert_eq!(page.unwrap().unwrap_err(), why);
    assert_eq!(store.join(caller, id, NOW).await.unwrap().unwrap_err(), why);
    let position = store.position(caller, id, NOW).await;
    assert_eq!(position.unwrap().unwrap_err(), why);
    let changed = store.change_message(caller, id, said, None, NOW).await;
    assert_eq!(changed.unwrap().unwrap_err(), why);
    let refused = append_one(store, send(&bob, id, "still here")).await;
    assert_eq!(refused, Appended::Denied(why));
    let list = store.conversations(caller, None, 10, NOW).await;
    assert!(list.unwrap().unwrap().is_empty());
    assert_eq!(texts(store, &ada, id).await, ["I was here".into()]);
}

/// Their conversation would be no pair's without one of them, or with a third.
pub async fn a_conversation_of_two_keeps_them(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    let cora = person(store, "cora").await;
    let wish = wish(ConversationKind::Direct, &[&bob]);
    let made = store.create_conversation(&ada.caller, &wish, NOW).await;
    let CreatedConversation::Created(made) = made.unwrap().unwrap() else {
        panic!("made before");
    };
    assert_eq!(add(store, &ada, made.id, cora.id()).await, Changed::Direct);
    for who in [&ada, &bob] {
        assert_eq!(
            remove(store, &ada, made.id, who.id()).await,
            Changed::Direct
        );
    }
    assert_eq!(events(store, made.id, 0).await, []);
}

/// From any position and however many at a time, they are the same and without a gap.
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
            // What was deleted is edited no more.
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

/// Its first result, with the position it was stored at.
pub async fn a_repeat_of_what_was_edited_is_a_duplicate(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, _, id) = pair(store).await;
    let once = || send_as(&ada, id, "once", "hello");
    let first = stored(&append_one(store, once()).await);
    done(edit(store, &ada, id, first.message_id, "bye").await);
    assert_eq!(
        append_one(store, once()).await,
        Appended::Duplicate(first.clone())
    );
    done(delete(store, &ada, id, first.message_id).await);
    let several = store
        .append(&[once(), send(&ada, id, "more")])
        .await
        .unwrap();
    let [Appended::Duplicate(again), Appended::Stored(more)] = &*several.outcomes else {
        panic!("{several:?}");
    };
    assert_eq!(*again, first);
    assert_eq!((more.seq, more.number), (Seq(4), Number(2)));
}

/// Whoever writes what, by two servers: dense, each once, and none is lost.
pub async fn changes_and_sends_at_once_leave_one_order(fixture: &dyn Fixture) {
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

/// Whichever comes first: a text that is gone does not come back.
pub async fn of_an_edit_and_a_deletion_at_once_the_deletion_stays(fixture: &dyn Fixture) {
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
            matches!(edited, Changed::Done(_) | Changed::Deleted),
            "{edited:?}"
        );
        // And of two at once one does it.
        let both = join_all([delete(store, &ada, id, said), delete(other, &ada, id, said)]).await;
        assert_eq!(both, [Changed::Unchanged, Changed::Unchanged]);
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

/// As a client repeats what was not answered in time: one of them does it, the others find it done.
pub async fn the_same_change_at_once_is_done_once(fixture: &dyn Fixture) {
    let stores = [fixture.store(), fixture.other_store()];
    let (ada, bob, id) = pair(stores[0]).await;
    let cora = person(stores[0], "cora").await;
    let only_one = |changes: Vec<Changed>| {
        let done = changes
            .iter()
            .filter(|changed| matches!(changed, Changed::Done(_)));
        assert_eq!(done.count(), 1, "{changes:?}");
        let done_already = |changed: &&Changed| **changed == Changed::Unchanged;
        assert_eq!(
            changes.iter().filter(done_already).count(),
            changes.len() - 1
        );
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
