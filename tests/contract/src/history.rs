//! Reading history: pages by number, events by position.

use super::Fixture;
use super::fixtures::{
    AWKWARD, NOW, Person, append_one, fill, group, pair, say, send, send_as, stored,
};
use colloquy_core::page_size::MAX_HISTORY_BYTES;
use colloquy_core::ports::{HistoryRange, Store};
use colloquy_proto::domain::{
    ConversationId, Epoch, MAX_MESSAGE_CHARS, Message, MessageNumber, Seq, UserId,
};
use colloquy_proto::protocol::Event;

async fn page(
    store: &dyn Store,
    who: &Person,
    id: ConversationId,
    page: HistoryRange,
    limit: i64,
) -> Vec<i64> {
    let history = store
        .messages(&who.caller, id, page, limit, NOW)
        .await
        .unwrap()
        .unwrap();
    history
        .messages
        .iter()
        .map(|message| message.number.0)
        .collect()
}

fn range(numbers: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    numbers.collect()
}

/// Paging in either direction returns every message once, in order.
pub async fn pages_meet_without_gap_or_overlap(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    assert!(
        page(store, &bob, id, HistoryRange::Latest, 10)
            .await
            .is_empty()
    );
    fill(store, &ada, id, 25).await;
    let read = async |which, limit| page(store, &bob, id, which, limit).await;
    assert_eq!(read(HistoryRange::Latest, 10).await, range(16..=25));
    assert_eq!(read(HistoryRange::Latest, 100).await, range(1..=25));
    assert!(read(HistoryRange::Latest, 0).await.is_empty());
    assert_eq!(
        read(HistoryRange::Before(MessageNumber(16)), 10).await,
        range(6..=15)
    );
    assert_eq!(
        read(HistoryRange::Before(MessageNumber(6)), 10).await,
        range(1..=5)
    );
    assert!(
        read(HistoryRange::Before(MessageNumber(1)), 10)
            .await
            .is_empty()
    );
    assert_eq!(
        read(HistoryRange::Before(MessageNumber(i64::MAX)), 2).await,
        range(24..=25)
    );
    assert_eq!(
        read(HistoryRange::After(MessageNumber(0)), 10).await,
        range(1..=10)
    );
    assert_eq!(
        read(HistoryRange::After(MessageNumber(10)), 10).await,
        range(11..=20)
    );
    assert_eq!(
        read(HistoryRange::After(MessageNumber(20)), 10).await,
        range(21..=25)
    );
    assert!(
        read(HistoryRange::After(MessageNumber(25)), 10)
            .await
            .is_empty()
    );
    assert_eq!(
        read(HistoryRange::After(MessageNumber(i64::MIN)), 2).await,
        range(1..=2)
    );
}

/// The page has the message with its neighbours, half before and half after, up to the limit.
pub async fn page_around_a_message_has_its_neighbours(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    fill(store, &ada, id, 25).await;
    let read = async |number, limit| {
        page(
            store,
            &bob,
            id,
            HistoryRange::Around(MessageNumber(number)),
            limit,
        )
        .await
    };
    assert_eq!(read(12, 5).await, range(10..=14));
    assert_eq!(read(12, 10).await, range(7..=16));
    assert_eq!(read(12, 1).await, [12]);
    assert!(read(12, 0).await.is_empty());
    assert_eq!(read(1, 5).await, range(1..=3));
    assert_eq!(read(25, 5).await, range(23..=25));
    // A number without a message still has neighbours.
    assert_eq!(read(0, 5).await, range(1..=2));
    assert_eq!(read(1_000, 5).await, range(23..=25));
    assert_eq!(read(i64::MAX, 4).await, range(23..=25));
}

/// What a message counts towards the size of a page.
fn size(text: &str) -> i64 {
    let json = serde_json::to_string(text).unwrap();
    1_024 + i64::try_from(json.len()).unwrap()
}

/// The texts of a conversation, oldest first: three, and then some whose size is exactly that of a page
/// less `missing`.
fn texts_of_a_page(missing: i64) -> Vec<String> {
    let longest = ["𝄞𝄞", "\u{1}x", "\"\\", "x\n"].map(|two| two.repeat(MAX_MESSAGE_CHARS / 2));
    let longest = longest.iter().cycle().take(18).cloned();
    let mut newest: Vec<String> = AWKWARD.iter().map(|text| (*text).to_owned()).collect();
    newest.extend(longest);
    let mut rest = MAX_HISTORY_BYTES - missing;
    rest -= newest.iter().map(|text| size(text)).sum::<i64>();
    let plain = |size: i64| "x".repeat(usize::try_from(size - 1_026).unwrap());
    while rest > 5_026 {
        let next = rest.min(6_100) - 1_100;
        newest.push(plain(next));
        rest -= next;
    }
    newest.insert(0, plain(rest));
    let oldest = ["one".to_owned(), "two".to_owned(), "\u{1}x".repeat(2_000)];
    oldest.into_iter().chain(newest).collect()
}

/// The message that reaches the size of a page is its last, in every direction, whatever its
/// characters; on a page around a message each side has half the size.
pub async fn long_messages_end_a_page_early(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, _) = pair(store).await;
    for missing in [0, 1] {
        let id = group(store, &ada, &[&bob]).await.id;
        let texts = texts_of_a_page(missing);
        for text in &texts {
            say(store, &ada, id, text).await;
        }
        let count = i64::try_from(texts.len()).unwrap();
        // Numbers away from an anchor, until they reach the size.
        let fitting = |numbers: &mut dyn Iterator<Item = i64>, bytes: i64| {
            let mut nearer = 0;
            let fits = |number: &i64| {
                let fits = nearer < bytes;
                let index = usize::try_from(*number - 1).unwrap();
                nearer += size(&texts[index]);
                fits
            };
            let mut numbers: Vec<i64> = numbers.take_while(fits).collect();
            numbers.sort_unstable();
            numbers
        };
        let newest = fitting(&mut (1..=count).rev(), MAX_HISTORY_BYTES);
        assert_eq!(newest, range(4 - missing..=count));
        let read = async |range| page(store, &bob, id, range, 100).await;
        assert_eq!(read(HistoryRange::Latest).await, newest);
        assert_eq!(
            read(HistoryRange::Before(MessageNumber(i64::MAX))).await,
            newest
        );
        let whole = store.conversation(&bob.caller, id, NOW).await;
        let whole = whole.unwrap().unwrap().messages.into_iter();
        assert_eq!(whole.map(|one| one.number.0).collect::<Vec<_>>(), newest);
        let before = fitting(&mut (1..count).rev(), MAX_HISTORY_BYTES);
        assert_eq!(
            read(HistoryRange::Before(MessageNumber(count))).await,
            before
        );
        let after = fitting(&mut (2..=count), MAX_HISTORY_BYTES);
        assert_eq!(read(HistoryRange::After(MessageNumber(1))).await, after);
        assert!(after.len() < usize::try_from(count - 1).unwrap());
        let mut around = fitting(&mut (1..=20).rev(), MAX_HISTORY_BYTES / 2);
        around.extend(fitting(&mut (21..=count), MAX_HISTORY_BYTES / 2));
        assert_eq!(read(HistoryRange::Around(MessageNumber(20))).await, around);
    }
}

/// The position is that of the page's snapshot and equals the result of `Store::position`.
pub async fn page_reports_the_position(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    fill(store, &ada, id, 3).await;
    let history = store
        .messages(
            &bob.caller,
            id,
            HistoryRange::Before(MessageNumber(3)),
            1,
            NOW,
        )
        .await
        .unwrap()
        .unwrap();
    let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
    assert_eq!(history.messages.len(), 1);
    assert_eq!(history.position, position);
    assert_eq!((position.seq, position.number), (Seq(3), MessageNumber(3)));
    assert!(!position.epoch.0.is_empty());
}

/// They are dense after the position, at most the limit, and have the same content as the history.
pub async fn events_follow_a_position(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    fill(store, &ada, id, 8).await;
    let first = stored(&append_one(store, send_as(&bob, id, "b-1", "ninth")).await);
    let mut last = send_as(&ada, id, "a-1", "tenth");
    last.reply_to = Some(first.message_id);
    last.mentions = vec![bob.id(), UserId(99)];
    stored(&append_one(store, last).await);

    let history = store
        .messages(&bob.caller, id, HistoryRange::Latest, 100, NOW)
        .await
        .unwrap()
        .unwrap();
    for (since, limit) in [
        (0, 300),
        (0, 4),
        (5, 300),
        (5, 2),
        (9, 10),
        (10, 10),
        (11, 10),
        (-1, 3),
    ] {
        let read = store.events(id, Seq(since), limit).await.unwrap().unwrap();
        assert_eq!(read.position, history.position);
        let messages: Vec<Message> = read
            .events
            .into_iter()
            .map(|event| match event {
                Event::Message(message) => message.into(),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<_> = history
            .messages
            .iter()
            .filter(|message| message.seq.0 > since)
            .take(usize::try_from(limit).unwrap())
            .cloned()
            .collect();
        assert_eq!(messages, expected);
    }
    assert!(
        store
            .events(id, Seq(i64::MAX), 10)
            .await
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
    assert!(
        store
            .events(id, Seq(0), 0)
            .await
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
}

/// A known conversation without events returns an empty page instead.
pub async fn events_of_an_unknown_conversation_are_none(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (_, _, id) = pair(store).await;
    assert!(
        store
            .events(id, Seq(0), 10)
            .await
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
    assert!(
        store
            .events(ConversationId(id.0 + 1), Seq(0), 10)
            .await
            .unwrap()
            .is_none()
    );
}

/// Every result with a position has the same epoch, before and after.
pub async fn renewed_epoch_is_in_every_result(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, _, id) = pair(store).await;
    say(store, &ada, id, "hello").await;
    let before = store.position(&ada.caller, id, NOW).await.unwrap().unwrap();
    store.renew_epoch(&Epoch("another".into())).await.unwrap();
    let after = store.position(&ada.caller, id, NOW).await.unwrap().unwrap();
    assert_ne!(before.epoch, after.epoch);
    // Also a batch that stores nothing.
    let refused = send(&ada, ConversationId(404_404), "nowhere");
    assert_eq!(store.append(&[refused]).await.unwrap().epoch, after.epoch);
    assert_eq!(after.epoch, Epoch("another".into()));
    assert_eq!((after.seq, after.number), (before.seq, before.number));
    assert_eq!(
        store
            .admit(&ada.caller, id, NOW)
            .await
            .unwrap()
            .unwrap()
            .position,
        after
    );
    assert_eq!(
        store.events(id, Seq(0), 1).await.unwrap().unwrap().position,
        after
    );
    let history = store
        .messages(&ada.caller, id, HistoryRange::Latest, 1, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.position, after);
    let other = fixture.other_store();
    assert_eq!(
        other.position(&ada.caller, id, NOW).await.unwrap().unwrap(),
        after
    );
}

/// A write, by each of two drivers on one database.
pub async fn database_accepts_a_probe(fixture: &dyn Fixture) {
    fixture.store().probe().await.unwrap();
    fixture.other_store().probe().await.unwrap();
}
