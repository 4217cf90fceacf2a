//! Creating conversations and reading one.

use futures_util::{StreamExt, stream};

use super::Fixture;
use super::fixtures::{NOW, Person, fill, group, list, new_conversation, pair, person, say, user};
use colloquy_core::ports::{CreatedConversation, Store};
use colloquy_proto::domain::{
    Conversation, ConversationKind, MAX_PARTICIPANTS_SHOWN, Member, NewConversation, UserId,
};

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

/// The caller is the first of them, the others are ordered by id, and the group has no messages.
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
        [ada.user.clone(), cy.user.clone(), bob.user.clone()]
    );
    assert_eq!(created.member_count, 3);
    assert!(created.messages.is_empty());
    assert_eq!(
        (created.created_at, created.seq.0, created.number.0),
        (NOW, 0, 0)
    );
    for (member, others) in [
        (&ada, [&cy, &bob]),
        (&bob, [&cy, &ada]),
        (&cy, [&ada, &bob]),
    ] {
        let read = store.conversation(&member.caller, created.id, NOW).await;
        let [first, second] = others.map(|other| other.user.clone());
        let expected = Conversation {
            participants: vec![member.user.clone(), first, second],
            ..created.clone()
        };
        assert_eq!(read.unwrap().unwrap(), expected);
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
    assert_eq!(created.participants, [bob.user.clone(), ada.user.clone()]);
    for number in 0..3 {
        say(store, &ada, created.id, &format!("hello {number}")).await;
    }
    for (one, other) in [(&ada, &bob), (&bob, &ada)] {
        let read = store.conversation(&one.caller, created.id, NOW).await;
        let read = read.unwrap().unwrap();
        assert_eq!(read.messages.len(), 3);
        assert_eq!(read.participants, [one.user.clone(), other.user.clone()]);
        let found = create(store, &one.caller, &with(other)).await;
        assert_eq!(found, CreatedConversation::Existing(read));
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

/// It shows a hundred of them, the caller first, and counts all; the pages of members have all.
pub async fn group_may_have_a_thousand_members(fixture: &dyn Fixture) {
    const MEMBERS: usize = 1_000;
    let store = fixture.store();
    let ada = person(store, "ada").await;
    let mut others: Vec<_> = stream::iter(2..MEMBERS)
        .map(|index| async move { user(store, &format!("member{index}")).await.id })
        .buffer_unordered(4)
        .collect()
        .await;
    others.sort_unstable();
    let zoe = person(store, "zoe").await;
    others.push(zoe.id());
    let new_conversation = NewConversation {
        others: others.clone(),
        kind: ConversationKind::Group,
        name: None,
    };
    let CreatedConversation::Created(created) = create(store, &ada.caller, &new_conversation).await
    else {
        panic!("not created");
    };
    say(store, &ada, created.id, "hello all").await;
    let of_ada = store.conversation(&ada.caller, created.id, NOW).await;
    let of_ada = of_ada.unwrap().unwrap();
    let of_zoe = store.conversation(&zoe.caller, created.id, NOW).await;
    let of_zoe = of_zoe.unwrap().unwrap();
    let ids = |conversation: &Conversation| -> Vec<UserId> {
        let shown = conversation.participants.iter();
        shown.map(|user| user.id).collect()
    };
    let first = |caller: &Person| -> Vec<UserId> {
        let mut members = others.clone();
        members.push(ada.id());
        members.retain(|id| *id != caller.id());
        members.sort_unstable();
        members.insert(0, caller.id());
        members.truncate(MAX_PARTICIPANTS_SHOWN);
        members
    };
    for (conversation, caller) in [(&created, &ada), (&of_ada, &ada), (&of_zoe, &zoe)] {
        assert_eq!(ids(conversation), first(caller));
        assert_eq!(conversation.member_count, 1_000);
    }
    let mut members = Vec::new();
    loop {
        let last = members.last().map_or(UserId(0), |last: &Member| last.id);
        let page = store.members(&zoe.caller, created.id, last, 300, NOW).await;
        let page = page.unwrap().unwrap();
        assert!(page.len() <= 300);
        if page.is_empty() {
            break;
        }
        members.extend(page);
    }
    let mut expected = others;
    expected.push(ada.id());
    expected.sort_unstable();
    assert_eq!(
        members.iter().map(|one| one.id).collect::<Vec<_>>(),
        expected
    );
    let zoe = Member {
        id: zoe.id(),
        username: zoe.user.username,
        first_name: zoe.user.first_name,
        last_name: zoe.user.last_name,
        joined_at: NOW,
    };
    assert_eq!(members.last(), Some(&zoe));
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
