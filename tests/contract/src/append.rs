//! Sends: order, duplicates, stored fields.

use super::Fixture;
use super::fixtures::{
    AWKWARD, NOW, append_one, events, group, history, list, pair, person, say, send, send_as,
    stored, texts,
};
use colloquy_core::ports::{AppendOutcome, HistoryRange, NewMessage};
use colloquy_proto::domain::{
    ClientMessageId, MAX_MENTIONS, MAX_MESSAGE_CHARS, MessageId, MessageNumber, Seconds, Seq,
    Timestamp, UserId,
};
use colloquy_proto::protocol::Event;

/// Outcomes, `seq`, `number` and id are in the order of the sends.
pub async fn sends_are_numbered_in_the_order_given(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let mut seen = Vec::new();
    for size in [1, 3, 100, 1, 20] {
        let sends: Vec<_> = (0..size)
            .map(|index| {
                let sender = if index % 3 == 0 { &bob } else { &ada };
                send(sender, id, &format!("{size}/{index}"))
            })
            .collect();
        let appended = store.append(&sends).await.unwrap().outcomes;
        assert_eq!(appended.len(), sends.len());
        for (answer, send) in appended.iter().zip(&sends) {
            let message = stored(answer);
            let sender = if send.sender_id == ada.id() {
                &ada
            } else {
                &bob
            };
            assert_eq!(message.sender, sender.user.username);
            assert_eq!(message.timestamp, NOW);
            seen.push((message, send.message.clone().into_inner()));
        }
    }
    let history = store
        .messages(&ada.caller, id, HistoryRange::Latest, 1_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.messages.len(), seen.len());
    for (position, (message, (answer, text))) in (1..).zip(history.messages.iter().zip(&seen)) {
        assert_eq!(
            (answer.seq, answer.number),
            (Seq(position), MessageNumber(position))
        );
        assert_eq!((message.seq, message.number), (answer.seq, answer.number));
        assert_eq!(
            (message.id, &message.sender),
            (answer.message_id, &answer.sender)
        );
        assert_eq!(message.content, *text);
    }
    assert!(history.messages.is_sorted_by_key(|message| message.id));
}

/// The text and the time of the repeat make no difference.
pub async fn duplicate_returns_the_first_result(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let first = stored(&append_one(store, send_as(&ada, id, "k-1", "first")).await);
    let second = stored(&append_one(store, send_as(&ada, id, "k-2", "second")).await);
    for text in ["first", "something else"] {
        let mut repeat = send_as(&ada, id, "k-1", text);
        repeat.now = NOW.plus(Seconds(60));
        assert_eq!(
            append_one(fixture.other_store(), repeat).await,
            AppendOutcome::Duplicate(first.clone())
        );
    }
    // A duplicate is detected before its reply_to is checked, also beside new sends of its batch.
    let mut unknown_reply = send_as(&ada, id, "k-1", "first");
    unknown_reply.reply_to = Some(MessageId(404_404));
    let batch = [
        send_as(&bob, id, "k-1", "bob's own"),
        unknown_reply,
        send_as(&ada, id, "k-3", "third"),
        send_as(&ada, id, "k-2", "second"),
    ];
    let answers = store.append(&batch).await.unwrap().outcomes;
    assert_eq!(stored(&answers[0]).number, MessageNumber(3));
    assert_eq!(answers[1], AppendOutcome::Duplicate(first));
    assert_eq!(stored(&answers[2]).number, MessageNumber(4));
    assert_eq!(answers[3], AppendOutcome::Duplicate(second));
    let said = texts(store, &bob, id).await;
    assert_eq!(
        said.iter().map(|text| &**text).collect::<Vec<_>>(),
        ["first", "second", "bob's own", "third"]
    );
}

/// An id is unique per conversation and sender, and is compared byte by byte.
pub async fn client_message_id_is_scoped_to_conversation_and_sender(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let elsewhere = group(store, &ada, &[&bob]).await.id;
    let longest = "x".repeat(ClientMessageId::MAX_CHARS);
    for key in ["k", "K", "'\"\\{}$1", longest.as_str()] {
        for (sender, conversation) in [(&ada, id), (&bob, id), (&ada, elsewhere)] {
            stored(&append_one(store, send_as(sender, conversation, key, "once")).await);
        }
    }
    // Without an id nothing is a duplicate.
    assert_ne!(
        say(store, &ada, id, "same").await,
        say(store, &ada, id, "same").await
    );
}

/// A clock that lags by some seconds does not set the conversation's time back.
pub async fn timestamps_never_decrease(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let at = |offset: i64| {
        let mut message = send(&ada, id, "tick");
        message.now = Timestamp(NOW.0 + offset);
        message
    };
    let batch: Vec<_> = [50, -1_000, 70, 60].map(at).into();
    let mut times: Vec<_> = store
        .append(&batch)
        .await
        .unwrap()
        .outcomes
        .iter()
        .map(|answer| stored(answer).timestamp)
        .collect();
    times.push(stored(&append_one(store, at(-5)).await).timestamp);
    times.push(stored(&append_one(store, at(71)).await).timestamp);
    assert!(times.is_sorted());
    for (time, offset) in times.iter().zip([50, -1_000, 70, 60, -5, 71]) {
        assert!(time.0 >= NOW.0 + offset);
    }
    assert_eq!(times.last(), Some(&Timestamp(NOW.0 + 71)));
    let late = store.append(&[at(3), at(4)]).await.unwrap().outcomes;
    times.extend(late.iter().map(|answer| stored(answer).timestamp));
    assert_eq!(times[6..], [Timestamp(NOW.0 + 71); 2]);
    let listed = list(store, &ada).await;
    assert_eq!(listed[0].active_at, Timestamp(NOW.0 + 71));
    let history = store
        .messages(&bob.caller, id, HistoryRange::Latest, 10, NOW)
        .await
        .unwrap()
        .unwrap();
    assert!(
        history
            .messages
            .iter()
            .map(|message| message.timestamp)
            .eq(times)
    );
}

/// Each conversation has its own order.
pub async fn batch_may_span_several_conversations(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &bob, &[&ada]).await.id;
    let third = group(store, &bob, &[&ada]).await.id;
    let conversations = [third, first, second, first, third, third, first];
    let sends: Vec<_> = conversations
        .iter()
        .enumerate()
        .map(|(index, id)| send_as(&ada, *id, "k", &index.to_string()))
        .enumerate()
        .map(|(index, send)| NewMessage {
            client_message_id: Some(ClientMessageId::new(format!("k-{index}")).unwrap()),
            ..send
        })
        .collect();
    let answers = store.append(&sends).await.unwrap().outcomes;
    let numbers: Vec<_> = answers
        .iter()
        .map(|answer| stored(answer).number.0)
        .collect();
    assert_eq!(numbers, [1, 1, 1, 2, 2, 3, 3]);
    let repeated = store.append(&sends).await.unwrap().outcomes;
    for (first, again) in answers.iter().zip(&repeated) {
        assert_eq!(*again, AppendOutcome::Duplicate(stored(first)));
    }
    for (id, count) in [(first, 3), (second, 1), (third, 3)] {
        let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
        assert_eq!(
            (position.seq, position.number),
            (Seq(count), MessageNumber(count))
        );
    }
}

/// An empty batch is no error and has no outcomes.
pub async fn empty_batch_stores_nothing(fixture: &dyn Fixture) {
    assert!(
        fixture
            .store()
            .append(&[])
            .await
            .unwrap()
            .outcomes
            .is_empty()
    );
}

/// Only members are mentioned: the ids of others are dropped before the message is stored, in their
/// order, by a single send and in a batch. The outcome, the history and the event agree.
pub async fn mentions_of_non_members_are_dropped(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let eve = person(store, "eve").await;
    let elsewhere = group(store, &ada, &[&eve]).await.id;
    let mentioning = |conversation_id, mentions: &[UserId]| NewMessage {
        mentions: mentions.to_vec(),
        ..send(&ada, conversation_id, "hey")
    };
    let unknown = UserId(404_404);
    let sends = [
        mentioning(id, &[bob.id(), eve.id(), unknown, ada.id()]),
        mentioning(id, &[eve.id(), UserId(i64::MAX), UserId(-1)]),
        mentioning(id, &[]),
        mentioning(elsewhere, &[bob.id(), eve.id()]),
    ];
    let expected = [vec![bob.id(), ada.id()], vec![], vec![], vec![eve.id()]];
    // A send that cannot be stored: each of its batch is then decided alone.
    let refused = send(&eve, id, "not a member");
    let decided_alone: Vec<_> = sends.iter().cloned().chain([refused]).collect();
    for batches in [sends.chunks(1), sends.chunks(4), decided_alone.chunks(5)] {
        let mut outcomes = Vec::new();
        for batch in batches {
            outcomes.extend(store.append(batch).await.unwrap().outcomes);
        }
        for (outcome, expected) in outcomes.iter().zip(&expected) {
            assert_eq!(stored(outcome).mentions, *expected);
        }
    }
    let (messages, _) = history(store, &bob, id).await;
    let read: Vec<_> = messages.iter().map(|message| &message.mentions).collect();
    assert_eq!(
        read,
        expected[..3].iter().cycle().take(9).collect::<Vec<_>>()
    );
    let from_history = messages
        .into_iter()
        .map(|message| Event::Message(message.into()));
    assert_eq!(events(store, id, 0).await, from_history.collect::<Vec<_>>());
}

/// Every field is returned unchanged, up to the limits.
pub async fn messages_are_stored_verbatim(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let longest = "𝄞".repeat(MAX_MESSAGE_CHARS);
    let quotes = "\"\\".repeat(MAX_MESSAGE_CHARS / 2);
    let mut sends: Vec<_> = AWKWARD
        .iter()
        .copied()
        .chain([&*longest, &*quotes])
        .map(|text| send(&ada, id, text))
        .collect();
    sends[0].mentions = [ada.id(), bob.id()].repeat(MAX_MENTIONS / 2);
    sends[1].mentions = vec![bob.id()];
    sends[2].client_message_id = Some(ClientMessageId::new("'\"\\;--").unwrap());
    let answers = store.append(&sends).await.unwrap().outcomes;
    let history = store
        .messages(&bob.caller, id, HistoryRange::Latest, 100, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.messages.len(), sends.len());
    for ((message, send), answer) in history.messages.iter().zip(&sends).zip(&answers) {
        assert_eq!(&*message.content, send.message.as_str());
        assert_eq!(message.mentions, send.mentions);
        assert_eq!(message.client_message_id, send.client_message_id);
        assert_eq!(
            (message.id, message.version),
            (stored(answer).message_id, 1)
        );
        assert_eq!((message.sender_id, message.timestamp), (ada.id(), NOW));
    }
}
