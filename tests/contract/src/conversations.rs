//! Making conversations and reading one.

use futures_util::{StreamExt, stream};

use super::Fixture;
use super::world::{NOW, fill, group, list, pair, person, say, user, wish};
use colloquy_core::ports::{CreatedConversation, Store};
use colloquy_proto::domain::{ConversationKind, NewConversation, UserId};

async fn create(
    store: &dyn Store,
    caller: &colloquy_proto::domain::Caller,
    wish: &NewConversation,
) -> CreatedConversation {
    store
        .create_conversation(caller, wish, NOW)
        .await
        .unwrap()
        .unwrap()
}

/// The creator is one of the members; all come by id, and the group is empty.
pub async fn a_group_has_its_members_in_order(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (cy, ada, bob) = (
        person(store, "cy").await,
        person(store, "ada").await,
        person(store, "bob").await,
    );
    let name = Some("Größe ' \" \\ 1".to_owned());
    let wish = NewConversation {
        name,
        ..wish(ConversationKind::Group, &[&cy, &bob])
    };
    let CreatedConversation::Created(made) = create(store, &ada.caller, &wish).await else {
        panic!("not created");
    };
    assert_eq!(made.kind, ConversationKind::Group);
    assert_eq!(made.name, wish.name);
    assert_eq!(
        made.participants,
        [cy.user.clone(), ada.user.clone(), bob.user.clone()]
    );
    assert!(made.messages.is_empty());
    assert_eq!((made.created_at, made.seq.0, made.number.0), (NOW, 0, 0));
    for member in [&ada, &bob, &cy] {
        let read = store
            .conversation(&member.caller, made.id, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read, made);
    }
}

/// Whoever of the two asks, and however often; with what was said in it.
pub async fn a_pair_has_one_conversation(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, cy) = (
        person(store, "ada").await,
        person(store, "bob").await,
        person(store, "cy").await,
    );
    let with = |other| wish(ConversationKind::Direct, &[other]);
    let CreatedConversation::Created(made) = create(store, &bob.caller, &with(&ada)).await else {
        panic!("not created");
    };
    assert_eq!(made.kind, ConversationKind::Direct);
    assert_eq!(made.participants, [ada.user.clone(), bob.user.clone()]);
    for number in 0..3 {
        say(store, &ada, made.id, &format!("hello {number}")).await;
    }
    let read = store
        .conversation(&ada.caller, made.id, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.messages.len(), 3);
    for (one, other) in [(&ada, &bob), (&bob, &ada)] {
        let found = create(store, &one.caller, &with(other)).await;
        assert_eq!(found, CreatedConversation::Existing(read.clone()));
    }
    let third = create(store, &cy.caller, &with(&ada)).await;
    assert!(matches!(third, CreatedConversation::Created(other) if other.id != made.id));
    // A group of the same two is another conversation.
    assert_ne!(group(store, &ada, &[&bob]).await.id, made.id);
}

/// Unknown and inactive accounts are named, and nothing is made.
pub async fn unknown_participants_are_named(fixture: &dyn Fixture) {
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
    let wish = NewConversation {
        others,
        kind: ConversationKind::Group,
        name: None,
    };
    let unknown = vec![UserId(-5), gone.id, UserId(4_000), UserId(i64::MAX)];
    let answer = create(store, &ada.caller, &wish).await;
    assert_eq!(answer, CreatedConversation::UnknownParticipants(unknown));
    let wish = NewConversation {
        others: vec![gone.id],
        kind: ConversationKind::Direct,
        name: None,
    };
    let answer = create(store, &ada.caller, &wish).await;
    assert_eq!(
        answer,
        CreatedConversation::UnknownParticipants(vec![gone.id])
    );
    for person in [&ada, &bob] {
        assert!(list(store, person).await.is_empty());
    }
}

/// Only pairs are found again.
pub async fn groups_of_the_same_people_are_different(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &ada, &[&bob]).await.id;
    let third = group(store, &bob, &[&ada]).await.id;
    assert!(first != second && second != third && third != first);
}

/// Hundreds of members are no special case.
pub async fn a_group_may_be_large(fixture: &dyn Fixture) {
    const MEMBERS: usize = 1_000;
    let store = fixture.store();
    let ada = person(store, "ada").await;
    let mut others: Vec<_> = stream::iter(1..MEMBERS)
        .map(|index| async move { user(store, &format!("member{index}")).await.id })
        .buffer_unordered(4)
        .collect()
        .await;
    others.sort_unstable();
    let wish = NewConversation {
        others,
        kind: ConversationKind::Group,
        name: None,
    };
    let CreatedConversation::Created(made) = create(store, &ada.caller, &wish).await else {
        panic!("not created");
    };
    assert_eq!(made.participants.len(), MEMBERS);
    assert!(made.participants.is_sorted_by_key(|member| member.id));
    say(store, &ada, made.id, "hello all").await;
    let read = store
        .conversation(&ada.caller, made.id, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.participants, made.participants);
}

/// The newest hundred, oldest first.
pub async fn a_conversation_comes_with_its_newest_messages(fixture: &dyn Fixture) {
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
