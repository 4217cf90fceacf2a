//! Creating conversations and reading one.

use futures_util::{StreamExt, stream};

use super::Fixture;
use super::fixtures::{NOW, fill, group, list, new_conversation, pair, person, say, user};
use colloquy_core::ports::{CreatedConversation, Store};
use colloquy_proto::domain::{ConversationKind, NewConversation, UserId};

async fn create(
    store: &dyn Store,
    caller: &colloquy_proto::domain::Caller,
    new_conversation: &NewConversation,
) -> CreatedConversation {
    store
        .create_conversation(caller, new_conversation, NOW)
        .await
        .unwrap()
        .unwrap()
}

/// The creator is one of the members; they are ordered by id, and the group has no messages.
pub async fn group_lists_its_members_in_order(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (cy, ada, bob) = (
        person(store, "cy").await,
        person(store, "ada").await,
        person(store, "bob").await,
    );
    let name = Some("Größe ' \" \\ 1".to_owned());
    let new_conversation = NewConversation {
        name,
        ..new_conversation(ConversationKind::Group, &[&cy, &bob])
    };
    let CreatedConversation::Created(created) = create(store, &ada.caller, &new_conversation).await
    else {
        panic!("not created");
    };
    assert_eq!(created.kind, ConversationKind::Group);
    assert_eq!(created.name, new_conversation.name);
    assert_eq!(
        created.participants,
        [cy.user.clone(), ada.user.clone(), bob.user.clone()]
    );
    assert!(created.messages.is_empty());
    assert_eq!(
        (created.created_at, created.seq.0, created.number.0),
        (NOW, 0, 0)
    );
    for member in [&ada, &bob, &cy] {
        let read = store
            .conversation(&member.caller, created.id, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read, created);
    }
}

/// Either of the two gets it, at every call, with its messages.
pub async fn two_users_share_one_direct_conversation(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, cy) = (
        person(store, "ada").await,
        person(store, "bob").await,
        person(store, "cy").await,
    );
    let with = |other| new_conversation(ConversationKind::Direct, &[other]);
    let CreatedConversation::Created(created) = create(store, &bob.caller, &with(&ada)).await
    else {
        panic!("not created");
    };
    assert_eq!(created.kind, ConversationKind::Direct);
    assert_eq!(created.participants, [ada.user.clone(), bob.user.clone()]);
    for number in 0..3 {
        say(store, &ada, created.id, &format!("hello {number}")).await;
    }
    let read = store
        .conversation(&ada.caller, created.id, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.messages.len(), 3);
    for (one, other) in [(&ada, &bob), (&bob, &ada)] {
        let found = create(store, &one.caller, &with(other)).await;
        assert_eq!(found, CreatedConversation::Existing(read.clone()));
    }
    let third = create(store, &cy.caller, &with(&ada)).await;
    assert!(matches!(third, CreatedConversation::Created(other) if other.id != created.id));
    // A group of the same two is another conversation.
    assert_ne!(group(store, &ada, &[&bob]).await.id, created.id);
}

/// Unknown and inactive accounts are reported, and nothing is created.
pub async fn unknown_participants_are_reported(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, gone) = (
        person(store, "ada").await,
        person(store, "bob").await,
        user(store, "gone").await,
    );
    fixture.deactivate(gone.id).await;
    let others = vec![
        UserId(-5),
        bob.id(),
        gone.id,
        UserId(4_000),
        UserId(i64::MAX),
    ];
    let new_conversation = NewConversation {
        others,
        kind: ConversationKind::Group,
        name: None,
    };
    let unknown = vec![UserId(-5), gone.id, UserId(4_000), UserId(i64::MAX)];
    let answer = create(store, &ada.caller, &new_conversation).await;
    assert_eq!(answer, CreatedConversation::UnknownParticipants(unknown));
    let new_conversation = NewConversation {
        others: vec![gone.id],
        kind: ConversationKind::Direct,
        name: None,
    };
    let answer = create(store, &ada.caller, &new_conversation).await;
    assert_eq!(
        answer,
        CreatedConversation::UnknownParticipants(vec![gone.id])
    );
    for person in [&ada, &bob] {
        assert!(list(store, person).await.is_empty());
    }
}

/// Only direct conversations are unique.
pub async fn groups_of_the_same_users_are_distinct(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &ada, &[&bob]).await.id;
    let third = group(store, &bob, &[&ada]).await.id;
    assert!(first != second && second != third && third != first);
}

/// A large group works like a small one.
pub async fn group_may_have_a_thousand_members(fixture: &dyn Fixture) {
    const MEMBERS: usize = 1_000;
    let store = fixture.store();
    let ada = person(store, "ada").await;
    let mut others: Vec<_> = stream::iter(1..MEMBERS)
        .map(|index| async move { user(store, &format!("member{index}")).await.id })
        .buffer_unordered(4)
        .collect()
        .await;
    others.sort_unstable();
    let new_conversation = NewConversation {
        others,
        kind: ConversationKind::Group,
        name: None,
    };
    let CreatedConversation::Created(created) = create(store, &ada.caller, &new_conversation).await
    else {
        panic!("not created");
    };
    assert_eq!(created.participants.len(), MEMBERS);
    assert!(created.participants.is_sorted_by_key(|member| member.id));
    say(store, &ada, created.id, "hello all").await;
    let read = store
        .conversation(&ada.caller, created.id, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.participants, created.participants);
}

/// It has the newest hundred, oldest first.
pub async fn conversation_includes_its_newest_messages(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    fill(store, &ada, id, 130).await;
    let read = store
        .conversation(&bob.caller, id, NOW)
        .await
        .unwrap()
        .unwrap();
    let numbers: Vec<_> = read
        .messages
        .iter()
        .map(|message| message.number.0)
        .collect();
    assert_eq!(numbers, (31..=130).collect::<Vec<_>>());
    assert_eq!((read.seq.0, read.number.0), (130, 130));
    assert_eq!(&*read.messages[0].content, "31");
    assert_eq!(read.messages[0].sender, ada.user.username);
}
