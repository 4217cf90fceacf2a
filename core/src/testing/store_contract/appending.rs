//! Sends: order, repeats, refusals.

use super::Fixture;
use super::world::{
    AWKWARD, NOW, append_one, group, pair, person, say, send, send_as, stored, texts,
};
use crate::domain::{
    ClientMessageId, MAX_MENTIONS, MAX_MESSAGE_CHARS, MessageId, Number, Seconds, Seq, Timestamp,
    UserId,
};
use crate::ports::{Appended, Denied, Page};

/// Answers come in the order of the sends; so do seq, number and id.
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
        .messages(&ada.caller, id, Page::Latest, 1_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.messages.len(), seen.len());
    for (position, (message, (answer, text))) in (1..).zip(history.messages.iter().zip(&seen)) {
        assert_eq!(
            (answer.seq, answer.number),
            (Seq(position), Number(position))
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

/// Whatever the repeat says, and however late it comes.
pub async fn a_repeat_is_answered_with_the_first_result(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let first = stored(&append_one(store, send_as(&ada, id, "k-1", "first")).await);
    let second = stored(&append_one(store, send_as(&ada, id, "k-2", "second")).await);
    for text in ["first", "something else"] {
        let mut repeat = send_as(&ada, id, "k-1", text);
        repeat.now = NOW.plus(Seconds(60));
        assert_eq!(
            append_one(fixture.other_store(), repeat).await,
            Appended::Duplicate(first.clone())
        );
    }
    // A repeat is found before its reply is looked at, and beside new sends of its batch.
    let mut unknown_reply = send_as(&ada, id, "k-1", "first");
    unknown_reply.reply_to = Some(MessageId(404_404));
    let batch = [
        send_as(&bob, id, "k-1", "bob's own"),
        unknown_reply,
        send_as(&ada, id, "k-3", "third"),
        send_as(&ada, id, "k-2", "second"),
    ];
    let answers = store.append(&batch).await.unwrap().outcomes;
    assert_eq!(stored(&answers[0]).number, Number(3));
    assert_eq!(answers[1], Appended::Duplicate(first));
    assert_eq!(stored(&answers[2]).number, Number(4));
    assert_eq!(answers[3], Appended::Duplicate(second));
    let said = texts(store, &bob, id).await;
    assert_eq!(
        said.iter().map(|text| &**text).collect::<Vec<_>>(),
        ["first", "second", "bob's own", "third"]
    );
}

/// Unique per conversation and sender, exact to the letter.
pub async fn a_client_message_id_belongs_to_its_conversation_and_sender(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let elsewhere = group(store, &ada, &[&bob]).await.id;
    let longest = "x".repeat(ClientMessageId::MAX_CHARS);
    for key in ["k", "K", "'\"\\{}$1", longest.as_str()] {
        for (sender, conversation) in [(&ada, id), (&bob, id), (&ada, elsewhere)] {
            stored(&append_one(store, send_as(sender, conversation, key, "once")).await);
        }
    }
    // Without an id nothing is a repeat.
    assert_ne!(
        say(store, &ada, id, "same").await,
        say(store, &ada, id, "same").await
    );
}

/// A clock that lags behind does not take the conversation back.
pub async fn time_never_goes_back(fixture: &dyn Fixture) {
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
    let history = store
        .messages(&bob.caller, id, Page::Latest, 10, NOW)
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

/// Another conversation's message cannot be answered, nor one that does not exist.
pub async fn a_reply_names_a_message_of_the_same_conversation(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let elsewhere = group(store, &ada, &[&bob]).await.id;
    let here = say(store, &ada, id, "here").await;
    let there = say(store, &ada, elsewhere, "there").await;
    let reply = |to| {
        let mut reply = send(&bob, id, "reply");
        reply.reply_to = Some(to);
        reply
    };
    let answers = store
        .append(&[
            reply(there.message_id),
            reply(here.message_id),
            reply(MessageId(404_404)),
        ])
        .await
        .unwrap()
        .outcomes;
    assert_eq!(
        (&answers[0], &answers[2]),
        (&Appended::UnknownReply, &Appended::UnknownReply)
    );
    assert_eq!(stored(&answers[1]).number, Number(2));
    let history = store
        .messages(&ada.caller, id, Page::Latest, 10, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.messages[1].reply_to, Some(here.message_id));
    assert_eq!(history.messages[0].reply_to, None);
    assert_eq!(history.position.seq, Seq(2));
}

/// What is refused takes no number, whoever stands beside it in the batch.
pub async fn refused_sends_leave_no_gap(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let eve = person(store, "eve").await;
    let mut revoked = bob.clone();
    revoked.caller.session_id = crate::domain::SessionId("unknown".into());
    let mut lost = send(&bob, id, "lost");
    lost.reply_to = Some(MessageId(404_404));
    let batch = [
        send(&eve, id, "not a member"),
        send(&ada, id, "one"),
        send(&revoked, id, "no session"),
        lost,
        send_as(&bob, id, "k", "two"),
        send(&ada, crate::domain::ConversationId(404), "not found"),
        send(&ada, id, "three"),
    ];
    let answers = store.append(&batch).await.unwrap().outcomes;
    assert_eq!(answers[0], Appended::Denied(Denied::NotMember));
    assert_eq!(answers[2], Appended::Denied(Denied::Session));
    assert_eq!(answers[3], Appended::UnknownReply);
    assert_eq!(answers[5], Appended::Denied(Denied::NotFound));
    for (index, number) in [(1, 1), (4, 2), (6, 3)] {
        let message = stored(&answers[index]);
        assert_eq!((message.seq, message.number), (Seq(number), Number(number)));
    }
    assert_eq!(
        stored(&append_one(store, send(&ada, id, "four")).await).number,
        Number(4)
    );
    assert_eq!(texts(store, &bob, id).await.len(), 4);
}

/// A send by itself is decided and kept as it is among others.
pub async fn a_send_alone_is_judged_as_among_others(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &ada, &[&bob]).await.id;
    let eve = person(store, "eve").await;
    let mut ended = bob.clone();
    ended.caller.session_id = crate::domain::SessionId("unknown".into());
    let mut kept = Vec::new();
    for (id, together) in [(first, false), (second, true)] {
        let earlier = stored(&append_one(store, send_as(&ada, id, "k", "earlier")).await);
        let mut sends = vec![
            send(&eve, id, "not a member"),
            send(&ended, id, "no session"),
            send(&ada, crate::domain::ConversationId(404), "not found"),
            send_as(&ada, id, "k", "a repeat"),
        ];
        sends.extend(
            ["repeat-only", "lost", "late", "early", "reply"]
                .map(|text| send_as(&bob, id, text, text)),
        );
        sends.extend(AWKWARD.iter().map(|text| send(&ada, id, text)));
        sends[4].repeat_only = true;
        sends[5].reply_to = Some(MessageId(404_404));
        sends[6].now = NOW.plus(Seconds(60));
        sends[8].reply_to = Some(earlier.message_id);
        sends[8].mentions = vec![ada.id(), bob.id()];
        let mut answers = Vec::new();
        if together {
            answers = store.append(&sends).await.unwrap().outcomes;
        } else {
            for send in sends {
                answers.push(append_one(store, send).await);
            }
        }
        assert_eq!(answers[3], Appended::Duplicate(earlier.clone()));
        let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
        let messages = store
            .messages(&bob.caller, id, Page::Latest, 100, NOW)
            .await
            .unwrap()
            .unwrap()
            .messages;
        assert_eq!(messages[3].reply_to, Some(earlier.message_id));
        // All but the ids of messages, which are not of one conversation alone.
        let answers: Vec<Appended> = answers
            .into_iter()
            .map(|answer| match answer {
                Appended::Stored(mut message) => {
                    message.message_id = MessageId(0);
                    Appended::Stored(message)
                }
                Appended::Duplicate(_) => Appended::NoRepeat,
                other => other,
            })
            .collect();
        let messages: Vec<_> = messages
            .into_iter()
            .map(|message| crate::domain::Message {
                id: MessageId(0),
                reply_to: None,
                ..message
            })
            .collect();
        kept.push((answers, messages, position));
    }
    assert_eq!(kept[0], kept[1]);
}

/// Each conversation keeps its own order.
pub async fn one_batch_may_serve_several_conversations(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &bob, &[&ada]).await.id;
    let third = group(store, &bob, &[&ada]).await.id;
    let places = [third, first, second, first, third, third, first];
    let sends: Vec<_> = places
        .iter()
        .enumerate()
        .map(|(index, id)| send_as(&ada, *id, "k", &index.to_string()))
        .enumerate()
        .map(|(index, send)| crate::ports::Append {
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
        assert_eq!(*again, Appended::Duplicate(stored(first)));
    }
    for (id, count) in [(first, 3), (second, 1), (third, 3)] {
        let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
        assert_eq!((position.seq, position.number), (Seq(count), Number(count)));
    }
}

/// Nothing in, nothing out.
pub async fn no_sends_are_no_work(fixture: &dyn Fixture) {
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

/// Every field comes back as it went in, up to the limits.
pub async fn messages_are_kept_as_they_are(fixture: &dyn Fixture) {
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
    let everybody: Vec<_> = (1..).take(MAX_MENTIONS).map(UserId).collect();
    sends[0].mentions = everybody;
    sends[1].mentions = vec![bob.id()];
    sends[2].client_message_id = Some(ClientMessageId::new("'\"\\;--").unwrap());
    let answers = store.append(&sends).await.unwrap().outcomes;
    let history = store
        .messages(&bob.caller, id, Page::Latest, 100, NOW)
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
