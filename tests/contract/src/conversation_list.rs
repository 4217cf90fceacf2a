//! The list of a user's conversations.

use std::sync::Arc;

use super::Fixture;
use super::fixtures::{
    AWKWARD, NOW, Person, add, append_one, delete, edit, group, history, in_full, list,
    new_conversation, person, remove, say, send, send_as, stored, user,
};
use colloquy_core::ports::{
    CachedSummaries, ChangeOutcome, CreatedConversation, ListedConversation, Store,
};
use colloquy_proto::domain::{
    ConversationId, ConversationKind, ConversationSummary, Epoch, MAX_MESSAGE_CHARS,
    MAX_PARTICIPANTS_SHOWN, NewConversation, Seconds, Seq, Timestamp,
};
use colloquy_proto::protocol::Event;

fn ids(list: &[ConversationSummary]) -> Vec<ConversationId> {
    list.iter().map(|summary| summary.id).collect()
}

/// The order is by latest activity, then by the highest id. Each entry has its members and newest
/// message.
pub async fn conversations_are_listed_by_latest_activity(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, cy) = (
        person(store, "ada").await,
        person(store, "bob").await,
        person(store, "cy").await,
    );
    let first = group(store, &ada, &[&bob]).await;
    let second = group(store, &bob, &[&cy, &ada]).await;
    let third = group(store, &ada, &[&cy]).await;
    assert_eq!(
        ids(&list(store, &ada).await),
        [third.id, second.id, first.id]
    );
    assert_eq!(ids(&list(store, &bob).await), [second.id, first.id]);

    // At the time of creation, and yet later.
    say(store, &cy, second.id, "hello").await;
    assert_eq!(
        ids(&list(store, &ada).await),
        [second.id, third.id, first.id]
    );
    let at = NOW.plus(Seconds(5));
    let mut late = send(&bob, first.id, "late");
    late.now = at;
    let late = stored(&append_one(store, late).await);
    let listed = list(store, &ada).await;
    assert_eq!(ids(&listed), [first.id, second.id, third.id]);

    let newest = &listed[0];
    assert_eq!(
        newest.participants,
        [&ada, &bob].map(|who| Arc::new(who.user.clone()))
    );
    assert_eq!(newest.member_count, 2);
    assert_eq!((newest.created_at, newest.active_at), (NOW, at));
    assert_eq!((newest.seq, newest.number), (late.seq, late.number));
    let last = newest.last_message.as_ref().unwrap();
    assert_eq!(
        (last.id, &*last.content, last.timestamp),
        (late.message_id, "late", at)
    );
    assert!(listed[2].last_message.is_none());
    assert!(list(store, &person(store, "dee").await).await.is_empty());
}

/// Name and newest message are equal to those of `Store::conversation`, for any text.
pub async fn list_agrees_with_reading_each_conversation(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    for text in AWKWARD {
        let name = (!text.contains(char::is_control)).then(|| (*text).to_owned());
        let named = NewConversation {
            name,
            ..new_conversation(ConversationKind::Group, &[&bob])
        };
        let created = store
            .create_conversation(&ada.caller, &named, NOW)
            .await
            .unwrap()
            .unwrap();
        let CreatedConversation::Created(created) = created else {
            panic!("{created:?}");
        };
        let first = say(store, &bob, created.id, "first").await;
        let mut newest = send_as(&ada, created.id, "'\"\\;--", text);
        newest.reply_to = Some(first.message_id);
        newest.mentions = vec![bob.id(), ada.id()];
        stored(&append_one(store, newest).await);
    }
    let listed = list(store, &bob).await;
    assert_eq!(listed.len(), AWKWARD.len());
    for summary in listed {
        let read = store.conversation(&bob.caller, summary.id, NOW).await;
        let mut read = read.unwrap().unwrap();
        assert_eq!(summary.name, read.name);
        assert_eq!(summary.last_message, read.messages.pop());
        assert_eq!(summary.member_count, read.member_count);
        // By id in the list, with the caller first in the conversation.
        read.participants.sort_by_key(|user| user.id);
        assert!(
            summary
                .participants
                .iter()
                .map(|person| &**person)
                .eq(&read.participants)
        );
    }
}

/// A clock that runs ahead for a while disturbs neither the order of the list nor the times of what is
/// sent after it is set back. Pages continue in the same order.
pub async fn list_is_ordered_by_activity_when_a_clock_ran_ahead(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    let mut groups = Vec::new();
    for _ in 0..4 {
        groups.push(group(store, &ada, &[&bob]).await.id);
    }
    let [a, b, c, d] = groups[..] else {
        unreachable!("four groups");
    };
    let at = |id, now: Timestamp| {
        let mut message = send(&ada, id, "tick");
        message.now = now;
        message
    };
    // Within the life of the sessions.
    let (ahead, back) = (NOW.plus(Seconds(900)), NOW.plus(Seconds(60)));
    // One by one and in batches, in the order of activity.
    let sends = [
        vec![at(b, ahead)],
        vec![at(c, ahead), at(a, ahead)],
        vec![at(d, back)],
        vec![at(a, back), at(c, back), at(a, back)],
        vec![at(c, back.plus(Seconds(1)))],
    ];
    let mut times: Vec<Vec<Timestamp>> = Vec::new();
    for batch in &sends {
        let outcomes = store.append(batch).await.unwrap().outcomes;
        times.push(outcomes.iter().map(|one| stored(one).timestamp).collect());
    }
    let later = back.plus(Seconds(1));
    let expected: [Vec<_>; 5] = [
        vec![ahead],
        vec![ahead; 2],
        vec![back],
        vec![back; 3],
        vec![later],
    ];
    assert_eq!(times, expected);
    let listed = list(store, &ada).await;
    assert_eq!(ids(&listed), [c, a, d, b]);
    assert_eq!(listed[0].active_at, later);
    // A change does not move the conversation, and its time is not ahead either.
    let created = group(store, &ada, &[&bob]).await.id;
    let edited = edit(
        store,
        &ada,
        b,
        listed[3].last_message.as_ref().unwrap().id,
        "tock",
    )
    .await;
    let ChangeOutcome::Done(edited) = edited else {
        panic!("{edited:?}");
    };
    let Event::Edited(edited) = edited.event else {
        panic!("{edited:?}");
    };
    assert_eq!(edited.timestamp, NOW);
    let mut paged = Vec::new();
    let mut after = None;
    while paged.len() < 5 {
        let cached = CachedSummaries::default();
        let page = store.conversations(&ada.caller, after, 2, &cached, back);
        let page = page.await.unwrap().unwrap().conversations.into_iter();
        let page: Vec<_> = page.map(in_full).collect();
        let last = page.last().expect("a next page");
        after = Some((last.list_position, last.id));
        paged.extend(page);
    }
    assert_eq!(ids(&paged), [created, c, a, d, b]);
}

/// Every conversation is listed exactly once, also when several have the same time.
pub async fn list_continues_after_its_last_entry(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    for index in 0..11 {
        let id = group(store, &ada, &[&bob]).await.id;
        let mut message = send(&ada, id, "hello");
        message.now = NOW.plus(Seconds(index / 4));
        append_one(store, message).await;
    }
    let all = list(store, &ada).await;
    assert_eq!(all.len(), 11);
    assert!(all.is_sorted_by(|a, b| (a.list_position, a.id) > (b.list_position, b.id)));
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .conversations(&ada.caller, after, 3, &CachedSummaries::default(), NOW)
            .await;
        let page = page.unwrap().unwrap().conversations;
        assert!(page.len() <= 3);
        let page: Vec<_> = page.into_iter().map(in_full).collect();
        let Some(last) = page.last() else { break };
        after = Some((last.list_position, last.id));
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let none = store
        .conversations(&ada.caller, None, 0, &CachedSummaries::default(), NOW)
        .await;
    assert!(none.unwrap().unwrap().conversations.is_empty());
}

/// Every change returns the summary again. A cached entry of another epoch is ignored, and an entry of
/// a conversation the caller is not a member of reveals nothing.
pub async fn unchanged_cached_conversation_is_listed_by_id(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (person(store, "ada").await, person(store, "bob").await);
    let cora = person(store, "cora").await;
    let (quiet, active) = (
        group(store, &ada, &[&bob]).await.id,
        group(store, &ada, &[&bob]).await.id,
    );
    let not_member = group(store, &bob, &[&cora]).await.id;
    let said = say(store, &ada, active, "Helo").await;
    let epoch = history(store, &ada, active).await.1.epoch;

    let mut seq = Seq(1);
    for step in 0..6 {
        let cached = CachedSummaries {
            epoch: Some(epoch.clone()),
            at: vec![(quiet, Seq(0)), (active, seq), (not_member, Seq(0))],
        };
        let unchanged = [active, quiet].map(ListedConversation::NotModified);
        assert_eq!(list_page(store, &ada, &cached).await, unchanged);
        let id = said.message_id;
        let changed = match step {
            0 => edit(store, &ada, active, id, "Hello").await,
            1 => delete(store, &ada, active, id).await,
            2 => add(store, &ada, active, cora.id()).await,
            3 => remove(store, &ada, active, cora.id()).await,
            4 => remove(store, &ada, active, bob.id()).await,
            _ => {
                say(store, &ada, active, "alone").await;
                ChangeOutcome::Unchanged
            }
        };
        assert_eq!(matches!(changed, ChangeOutcome::Done(_)), step < 5);
        seq = Seq(seq.0 + 1);
        let whole = list(store, &ada).await;
        assert_eq!(whole[0].seq, seq);
        let expected = [
            ListedConversation::Summary(Box::new(whole[0].clone())),
            ListedConversation::NotModified(quiet),
        ];
        assert_eq!(list_page(store, &ada, &cached).await, expected);
    }

    let whole = list(store, &ada).await.into_iter().map(Box::new);
    let whole: Vec<_> = whole.map(ListedConversation::Summary).collect();
    for epoch in [Some(Epoch("another".into())), None] {
        let at = vec![(quiet, Seq(0)), (active, seq)];
        assert_eq!(
            list_page(store, &ada, &CachedSummaries { epoch, at }).await,
            whole
        );
    }
}

/// A page ends once what it reads exceeds its size, and the next one continues there; conversations
/// that the caller has cached are not read. Each shows at most a hundred members.
pub async fn large_conversations_end_a_list_early(fixture: &dyn Fixture) {
    const CONVERSATIONS: usize = 30;
    let store = fixture.store();
    let ada = person(store, "ada").await;
    let mut others = Vec::new();
    for index in 0..120 {
        others.push(user(store, &format!("member{index}")).await.id);
    }
    let longest = "𝄞".repeat(MAX_MESSAGE_CHARS);
    for _ in 0..CONVERSATIONS {
        let new = NewConversation {
            others: others.clone(),
            kind: ConversationKind::Group,
            name: None,
        };
        let created = store.create_conversation(&ada.caller, &new, NOW).await;
        let CreatedConversation::Created(created) = created.unwrap().unwrap() else {
            panic!("not created");
        };
        say(store, &ada, created.id, &longest).await;
    }
    let read = async |after, cached: &CachedSummaries| {
        let page = store
            .conversations(&ada.caller, after, 200, cached, NOW)
            .await;
        page.unwrap().unwrap()
    };
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = read(after, &CachedSummaries::default()).await;
        let is_cut = page.is_cut;
        let page = page.conversations.into_iter().map(in_full);
        let page: Vec<_> = page.collect();
        // 100 participants of 64 bytes and a text of 16,000 each.
        assert_eq!(page.len(), if is_cut { 24 } else { CONVERSATIONS - 24 });
        after = page.last().map(|last| (last.list_position, last.id));
        listed.extend(page);
        if !is_cut {
            break;
        }
    }
    assert_eq!(listed.len(), CONVERSATIONS);
    assert!(listed.is_sorted_by(|a, b| a.id > b.id));
    for summary in &listed {
        let shown: Vec<_> = summary.participants.iter().map(|user| user.id).collect();
        let first = [ada.id()].into_iter().chain(others.iter().copied());
        assert_eq!(
            shown,
            first.take(MAX_PARTICIPANTS_SHOWN).collect::<Vec<_>>()
        );
        assert_eq!(summary.member_count, 121);
        assert_eq!(
            summary.last_message.as_ref().unwrap().content.len(),
            longest.len()
        );
    }
    let cached = CachedSummaries {
        epoch: Some(history(store, &ada, listed[0].id).await.1.epoch),
        at: listed
            .iter()
            .map(|one| (one.id, one.seq))
            .skip(20)
            .collect(),
    };
    let page = read(None, &cached).await;
    assert_eq!(
        (page.conversations.len(), page.is_cut),
        (CONVERSATIONS, false)
    );
    assert_eq!(*page.caller, ada.user);
}

async fn list_page(
    store: &dyn Store,
    who: &Person,
    cached: &CachedSummaries,
) -> Vec<ListedConversation> {
    let page = store
        .conversations(&who.caller, None, 10, cached, NOW)
        .await;
    page.unwrap().unwrap().conversations
}
