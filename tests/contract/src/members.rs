//! Who is a member, and how that changes.

use super::Fixture;
use super::world::{
    NOW, Person, add, append_one, done, events, list, pair, person, remove, say, send, texts, wish,
};
use colloquy_core::ports::{
    AppendOutcome, ChangeOutcome, CreatedConversation, Denied, HistoryRange, StoredEvent,
};
use colloquy_proto::domain::{ConversationKind, MessageNumber, Seq, UserId};
use colloquy_proto::protocol::{Event, MemberChange, MemberEvent};

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
    let mut note = |change: StoredEvent, event: Event| {
        assert_eq!(change.event, event);
        told.push(event);
    };
    // Any member brings others in.
    let joined = done(add(store, &bob, id, cora.id()).await);
    note(joined, event(1, &cora, MemberChange::Added, &bob));
    assert_eq!(
        add(store, &bob, id, cora.id()).await,
        ChangeOutcome::Unchanged
    );
    let nobody = add(store, &bob, id, UserId(404_404)).await;
    assert_eq!(nobody, ChangeOutcome::UnknownUser);
    fixture.deactivate(dan.id()).await;
    assert_eq!(
        add(store, &bob, id, dan.id()).await,
        ChangeOutcome::UnknownUser
    );
    // Who made the group removes others, whoever is in it leaves.
    assert_eq!(
        remove(store, &bob, id, cora.id()).await,
        ChangeOutcome::NotOwner
    );
    let join = store.admit(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!((join.position.seq, join.last_removal_seq), (Seq(1), Seq(0)));
    let left = done(remove(store, &ada, id, cora.id()).await);
    note(left, event(2, &cora, MemberChange::Removed, &ada));
    assert_eq!(
        remove(store, &ada, id, cora.id()).await,
        ChangeOutcome::Unchanged
    );
    let back = done(add(store, &ada, id, cora.id()).await);
    note(back, event(3, &cora, MemberChange::Added, &ada));
    let left = done(remove(store, &bob, id, bob.id()).await);
    note(left, event(4, &bob, MemberChange::Removed, &bob));
    let join = store.admit(&cora.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!((join.position.seq, join.last_removal_seq), (Seq(4), Seq(4)));
    assert_eq!(join.position.number, MessageNumber(0));
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
    assert_eq!(
        add(store, &ada, made.id, cora.id()).await,
        ChangeOutcome::Direct
    );
    for who in [&ada, &bob] {
        assert_eq!(
            remove(store, &ada, made.id, who.id()).await,
            ChangeOutcome::Direct
        );
    }
    assert_eq!(events(store, made.id, 0).await, []);
}
