//! Adding and removing members.

use super::Fixture;
use super::fixtures::{
    NOW, Person, add, add_up_to, append_one, done, events, list, new_conversation, pair, person,
    remove, say, send, texts,
};
use colloquy_core::ports::{
    AppendOutcome, ChangeOutcome, CreatedConversation, Denied, HistoryRange, StoredEvent,
};
use colloquy_proto::domain::{ConversationKind, MessageNumber, Seq, UserId};
use colloquy_proto::protocol::{Event, MemberChange, MemberEvent};

/// Checks who may add and remove whom, and the resulting events.
pub async fn members_are_added_and_removed_by_events(fixture: &dyn Fixture) {
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
    let mut expected = Vec::new();
    let mut check = |change: StoredEvent, event: Event| {
        assert_eq!(change.event, event);
        expected.push(event);
    };
    // Any member adds others.
    let added = done(add(store, &bob, id, cora.id()).await);
    check(added, event(1, &cora, MemberChange::Added, &bob));
    assert_eq!(
        add(store, &bob, id, cora.id()).await,
        ChangeOutcome::Unchanged
    );
    let unknown = add(store, &bob, id, UserId(404_404)).await;
    assert_eq!(unknown, ChangeOutcome::UnknownUser);
    fixture.deactivate(dan.id()).await;
    assert_eq!(
        add(store, &bob, id, dan.id()).await,
        ChangeOutcome::UnknownUser
    );
    // The creator removes others; any member leaves.
    assert_eq!(
        remove(store, &bob, id, cora.id()).await,
        ChangeOutcome::NotOwner
    );
    let admission = store.admit(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(
        (admission.position.seq, admission.last_removal_seq),
        (Seq(1), Seq(0))
    );
    let removed = done(remove(store, &ada, id, cora.id()).await);
    check(removed, event(2, &cora, MemberChange::Removed, &ada));
    assert_eq!(
        remove(store, &ada, id, cora.id()).await,
        ChangeOutcome::Unchanged
    );
    let added = done(add(store, &ada, id, cora.id()).await);
    check(added, event(3, &cora, MemberChange::Added, &ada));
    let removed = done(remove(store, &bob, id, bob.id()).await);
    check(removed, event(4, &bob, MemberChange::Removed, &bob));
    let admission = store.admit(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(
        (admission.position.seq, admission.last_removal_seq),
        (Seq(4), Seq(4))
    );
    assert_eq!(admission.position.number, MessageNumber(0));
    assert_eq!(events(store, id, 0).await, expected);
    let people = store.conversation(&ada.caller, id, NOW).await;
    let people = people.unwrap().unwrap().participants;
    let ids: Vec<_> = people.iter().map(|user| user.id).collect();
    assert_eq!(ids, [ada.id(), cora.id()]);
}

/// A full group takes no further member until one leaves; a member who is added again changes
/// nothing.
pub async fn full_group_takes_no_further_member(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let (cora, dan) = (person(store, "cora").await, person(store, "dan").await);
    done(add_up_to(store, &ada, id, cora.id(), 3).await);
    for (user, max, expected) in [
        (dan.id(), 3, ChangeOutcome::Full),
        // The limit may have been lowered since.
        (dan.id(), 2, ChangeOutcome::Full),
        (cora.id(), 3, ChangeOutcome::Unchanged),
        (UserId(404_404), 3, ChangeOutcome::UnknownUser),
    ] {
        assert_eq!(add_up_to(store, &ada, id, user, max).await, expected);
    }
    assert_eq!(events(store, id, 1).await, []);
    done(remove(store, &bob, id, bob.id()).await);
    done(add_up_to(store, &ada, id, dan.id(), 3).await);
}

/// Access ends with the removal.
pub async fn removed_member_is_denied_every_method(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let said = say(store, &bob, id, "I was here").await.message_id;
    done(remove(store, &ada, id, bob.id()).await);
    let why = Denied::NotMember;
    let caller = &bob.caller;
    let page = store
        .messages(caller, id, HistoryRange::Latest, 10, NOW)
        .await;
    assert_eq!(page.unwrap().unwrap_err(), why);
    assert_eq!(
        store.admit(caller, id, NOW).await.unwrap().unwrap_err(),
        why
    );
    let position = store.position(caller, id, NOW).await;
    assert_eq!(position.unwrap().unwrap_err(), why);
    let changed = store.edit_message(caller, id, said, None, NOW).await;
    assert_eq!(changed.unwrap().unwrap_err(), why);
    let refused = append_one(store, send(&bob, id, "still here")).await;
    assert_eq!(refused, AppendOutcome::Denied(why));
    assert!(list(store, &bob).await.is_empty());
    assert_eq!(texts(store, &ada, id).await, ["I was here".into()]);
}

/// Members are neither added nor removed.
pub async fn direct_conversation_has_fixed_members(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    let cora = person(store, "cora").await;
    let new_conversation = new_conversation(ConversationKind::Direct, &[&bob]);
    let created = store
        .create_conversation(&ada.caller, &new_conversation, NOW)
        .await;
    let CreatedConversation::Created(created) = created.unwrap().unwrap() else {
        panic!("not created");
    };
    assert_eq!(
        add(store, &ada, created.id, cora.id()).await,
        ChangeOutcome::Direct
    );
    for who in [&ada, &bob] {
        assert_eq!(
            remove(store, &ada, created.id, who.id()).await,
            ChangeOutcome::Direct
        );
    }
    assert_eq!(events(store, created.id, 0).await, []);
}
