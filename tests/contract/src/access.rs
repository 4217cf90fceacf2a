//! Denials: every method that takes a caller checks session and membership.

use super::Fixture;
use super::fixtures::{
    LATER, NOW, Person, append_one, group, list, new_conversation, new_session, pair, person, send,
};
use colloquy_core::ports::{AppendOutcome, CachedSummaries, Denied, HistoryRange, Store};
use colloquy_proto::domain::{
    ConversationId, ConversationKind, MessageId, MessageText, SessionId, Timestamp, UserId,
};

/// Calls every method on one conversation. Each must be denied for this reason.
async fn assert_conversation_denied(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    now: Timestamp,
    why: Denied,
) {
    let caller = &who.caller;
    assert_eq!(
        store
            .conversation(caller, id, now)
            .await
            .unwrap()
            .unwrap_err(),
        why
    );
    assert_eq!(
        store.position(caller, id, now).await.unwrap().unwrap_err(),
        why
    );
    assert_eq!(
        store.admit(caller, id, now).await.unwrap().unwrap_err(),
        why
    );
    let page = store
        .messages(caller, id, HistoryRange::Latest, 10, now)
        .await
        .unwrap();
    assert_eq!(page.unwrap_err(), why);
    let members = store.members(caller, id, UserId(0), 10, now).await;
    assert_eq!(members.unwrap().unwrap_err(), why);
    let message = MessageId(1);
    let text = MessageText::new("refused").unwrap();
    for text in [Some(&text), None] {
        let changed = store.edit_message(caller, id, message, text, now).await;
        assert_eq!(changed.unwrap().unwrap_err(), why);
    }
    let added = store.add_member(caller, id, caller.user_id, 9, now).await;
    assert_eq!(added.unwrap().unwrap_err(), why);
    let removed = store.remove_member(caller, id, caller.user_id, now).await;
    assert_eq!(removed.unwrap().unwrap_err(), why);
    let mut refused = send(who, id, "refused");
    refused.now = now;
    assert_eq!(append_one(store, refused).await, AppendOutcome::Denied(why));
}

/// Also calls the methods that take no conversation.
async fn assert_session_denied(
    store: &dyn Store,
    who: &Person,
    other: &Person,
    id: ConversationId,
    now: Timestamp,
) {
    let caller = &who.caller;
    let why = Denied::Session;
    assert_conversation_denied(store, who, id, now, why).await;
    assert_conversation_denied(store, who, ConversationId(404_404), now, why).await;
    assert_eq!(store.profile(caller, now).await.unwrap().unwrap_err(), why);
    assert_eq!(
        store
            .conversations(caller, None, 10, &CachedSummaries::default(), now)
            .await
            .unwrap()
            .unwrap_err(),
        why
    );
    for kind in [ConversationKind::Direct, ConversationKind::Group] {
        let created = store
            .create_conversation(caller, &new_conversation(kind, &[other]), now)
            .await
            .unwrap();
        assert_eq!(created.unwrap_err(), why);
    }
}

/// The session is expired, unknown, another user's, revoked, or of an inactive account.
pub async fn inactive_session_is_denied_everything(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    assert!(store.position(&ada.caller, id, NOW).await.unwrap().is_ok());
    let with_session = |session: &SessionId| {
        let mut person = ada.clone();
        person.caller.session_id = session.clone();
        person
    };

    assert_session_denied(store, &ada, &bob, id, LATER).await;
    let unknown = with_session(&SessionId("unknown".into()));
    assert_session_denied(store, &unknown, &bob, id, NOW).await;
    let borrowed = with_session(&bob.caller.session_id);
    assert_session_denied(store, &borrowed, &bob, id, NOW).await;

    assert!(
        store
            .open_session(&new_session(ada.id(), "second"))
            .await
            .unwrap()
    );
    assert!(
        store
            .revoke_session(ada.id(), &ada.caller.session_id, NOW)
            .await
            .unwrap()
    );
    assert_session_denied(store, &ada, &bob, id, NOW).await;
    let second = with_session(&SessionId("second".into()));
    assert!(
        store
            .position(&second.caller, id, NOW)
            .await
            .unwrap()
            .is_ok()
    );
    fixture.deactivate(ada.id()).await;
    assert_session_denied(store, &second, &bob, id, NOW).await;

    // None of the denied sends and conversations was stored.
    let listed = list(store, &bob).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].number.0, 0);
}

/// The denial differs from that of a conversation the caller is not a member of.
pub async fn unknown_conversation_is_not_found(fixture: &dyn Fixture) {
    let store = fixture.store();
    let ada = person(store, "ada").await;
    for id in [1, 0, -1, i64::MAX, i64::MIN] {
        assert_conversation_denied(store, &ada, ConversationId(id), NOW, Denied::NotFound).await;
    }
}

/// A non-member neither reads nor writes.
pub async fn non_member_is_denied_every_method(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let eve = person(store, "eve").await;
    let own = group(store, &eve, &[&ada]).await.id;
    assert_conversation_denied(store, &eve, id, NOW, Denied::NotMember).await;
    assert_conversation_denied(store, &bob, own, NOW, Denied::NotMember).await;
    let position = store.position(&ada.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!((position.seq.0, position.number.0), (0, 0));
    let admission = store.admit(&ada.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(admission.position, position);
}
