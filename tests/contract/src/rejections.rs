//! Sends that are not stored, and the other sends of their batch.

use super::Fixture;
use super::fixtures::{
    AWKWARD, LATER, NOW, append_one, group, new_session, pair, person, say, send, send_as, stored,
    texts,
};
use colloquy_core::ports::{AppendOutcome, Denied, HistoryRange, NewMessage};
use colloquy_proto::domain::{
    ConversationId, Message, MessageId, MessageNumber, Seconds, Seq, SessionId,
};

/// A reply to another conversation's message, or to one that does not exist, is rejected.
pub async fn reply_must_be_to_a_message_of_the_same_conversation(fixture: &dyn Fixture) {
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
        (
            &AppendOutcome::UnknownReplyTo,
            &AppendOutcome::UnknownReplyTo
        )
    );
    assert_eq!(stored(&answers[1]).number, MessageNumber(2));
    let history = store
        .messages(&ada.caller, id, HistoryRange::Latest, 10, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(history.messages[1].reply_to, Some(here.message_id));
    assert_eq!(history.messages[0].reply_to, None);
    assert_eq!(history.position.seq, Seq(2));
}

/// For every reason, the rest of the batch is stored; as a single send it is rejected too.
pub async fn rejected_send_does_not_affect_the_rest_of_its_batch(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let eve = person(store, "eve").await;
    let elsewhere = group(store, &eve, &[&ada, &bob]).await.id;
    let there = say(store, &ada, elsewhere, "there").await;
    let earlier = stored(&append_one(store, send_as(&bob, id, "k", "earlier")).await);
    let gone = person(store, "gone").await;
    let with_gone = group(store, &gone, &[&ada]).await.id;
    fixture.deactivate(gone.id()).await;
    let revoked = new_session(bob.id(), "revoked");
    assert!(store.open_session(&revoked).await.unwrap());
    assert!(
        store
            .revoke_session(bob.id(), &revoked.id, NOW)
            .await
            .unwrap()
    );
    let by = |session: &SessionId| NewMessage {
        session_id: session.clone(),
        ..send(&bob, id, "by another session")
    };
    let replying = |to| NewMessage {
        reply_to: Some(to),
        ..send(&bob, id, "a reply")
    };
    let late = NewMessage {
        now: LATER,
        ..send(&bob, id, "late")
    };
    let session = AppendOutcome::Denied(Denied::Session);
    let not_found = send(&ada, ConversationId(404), "nowhere");
    let rejected = [
        (late, session.clone()),
        (by(&SessionId("unknown".into())), session.clone()),
        (by(&ada.caller.session_id), session.clone()),
        (by(&revoked.id), session.clone()),
        (send(&gone, with_gone, "gone"), session),
        (
            send(&eve, id, "no member"),
            AppendOutcome::Denied(Denied::NotMember),
        ),
        (not_found, AppendOutcome::Denied(Denied::NotFound)),
        (replying(there.message_id), AppendOutcome::UnknownReplyTo),
        (replying(MessageId(404_404)), AppendOutcome::UnknownReplyTo),
        (
            send_as(&bob, id, "k", "again"),
            AppendOutcome::Duplicate(earlier),
        ),
    ];
    for ((wrong, answer), number) in rejected.into_iter().zip((2..).step_by(2)) {
        let what = wrong.message.clone();
        assert_eq!(append_one(store, wrong.clone()).await, answer, "{what:?}");
        let batch = [send(&ada, id, "before"), wrong, send(&bob, id, "after")];
        let answers = store.append(&batch).await.unwrap().outcomes;
        assert_eq!(answers[1], answer, "{what:?}");
        let numbers = [0, 2].map(|index| stored(&answers[index]).number.0);
        assert_eq!(numbers, [number, number + 1], "{what:?}");
    }
    assert_eq!(texts(store, &ada, with_gone).await.len(), 0);
}

/// A rejected send takes no number, regardless of its position in the batch.
pub async fn rejected_sends_leave_no_gap(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, id) = pair(store).await;
    let eve = person(store, "eve").await;
    let mut revoked = bob.clone();
    revoked.caller.session_id = SessionId("unknown".into());
    let mut lost = send(&bob, id, "lost");
    lost.reply_to = Some(MessageId(404_404));
    let batch = [
        send(&eve, id, "not a member"),
        send(&ada, id, "one"),
        send(&revoked, id, "no session"),
        lost,
        send_as(&bob, id, "k", "two"),
        send(&ada, ConversationId(404), "not found"),
        send(&ada, id, "three"),
    ];
    let answers = store.append(&batch).await.unwrap().outcomes;
    assert_eq!(answers[0], AppendOutcome::Denied(Denied::NotMember));
    assert_eq!(answers[2], AppendOutcome::Denied(Denied::Session));
    assert_eq!(answers[3], AppendOutcome::UnknownReplyTo);
    assert_eq!(answers[5], AppendOutcome::Denied(Denied::NotFound));
    for (index, number) in [(1, 1), (4, 2), (6, 3)] {
        let message = stored(&answers[index]);
        assert_eq!(
            (message.seq, message.number),
            (Seq(number), MessageNumber(number))
        );
    }
    assert_eq!(
        stored(&append_one(store, send(&ada, id, "four")).await).number,
        MessageNumber(4)
    );
    assert_eq!(texts(store, &bob, id).await.len(), 4);
}

/// The outcome is the same alone, among sends that cannot be stored, and among sends that can.
pub async fn single_send_has_the_same_outcome_as_in_a_batch(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob, first) = pair(store).await;
    let second = group(store, &ada, &[&bob]).await.id;
    let third = group(store, &ada, &[&bob]).await.id;
    let eve = person(store, "eve").await;
    let mut ended = bob.clone();
    ended.caller.session_id = SessionId("unknown".into());
    let mut kept = Vec::new();
    // The first six sends cannot be stored.
    for (id, batches) in [
        (first, [1; 16].as_slice()),
        (second, &[16]),
        (third, &[6, 10]),
    ] {
        let earlier = stored(&append_one(store, send_as(&ada, id, "k", "earlier")).await);
        let mut sends = vec![
            send(&eve, id, "not a member"),
            send(&ended, id, "no session"),
            send(&ada, ConversationId(404), "not found"),
            send_as(&ada, id, "k", "a repeat"),
        ];
        sends.extend(
            ["repeat-only", "lost", "late", "early", "reply"]
                .map(|text| send_as(&bob, id, text, text)),
        );
        sends.extend(AWKWARD.iter().map(|text| send(&ada, id, text)));
        sends[4].dedup_only = true;
        sends[5].reply_to = Some(MessageId(404_404));
        sends[6].now = NOW.plus(Seconds(6));
        sends[8].reply_to = Some(earlier.message_id);
        sends[8].mentions = vec![ada.id(), eve.id(), bob.id()];
        let mut answers = Vec::new();
        let mut rest = &sends[..];
        for size in batches {
            let batch;
            (batch, rest) = rest.split_at(*size);
            answers.extend(store.append(batch).await.unwrap().outcomes);
        }
        assert_eq!(answers.len(), sends.len());
        assert_eq!(answers[3], AppendOutcome::Duplicate(earlier.clone()));
        let position = store.position(&bob.caller, id, NOW).await.unwrap().unwrap();
        let messages = store
            .messages(&bob.caller, id, HistoryRange::Latest, 100, NOW)
            .await
            .unwrap()
            .unwrap()
            .messages;
        assert_eq!(messages[3].reply_to, Some(earlier.message_id));
        // Message ids are shared by all conversations and differ.
        let answers: Vec<AppendOutcome> = answers
            .into_iter()
            .map(|answer| match answer {
                AppendOutcome::Stored(mut message) => {
                    message.message_id = MessageId(0);
                    AppendOutcome::Stored(message)
                }
                AppendOutcome::Duplicate(_) => AppendOutcome::NotADuplicate,
                other => other,
            })
            .collect();
        let messages: Vec<_> = messages
            .into_iter()
            .map(|message| Message {
                id: MessageId(0),
                reply_to: None,
                ..message
            })
            .collect();
        kept.push((answers, messages, position));
    }
    assert_eq!(kept[0], kept[1]);
    assert_eq!(kept[0], kept[2]);
}
