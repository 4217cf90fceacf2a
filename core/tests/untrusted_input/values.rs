//! Round trips of every codec that has an encoder.

use std::sync::Arc;

use colloquy_fuzz::{Rng, arbitrary_text, for_all};
use colloquy_proto::domain::{
    ClientMessageId, ConversationId, Epoch, Message, MessageId, MessageNumber, Seq, Timestamp,
    UserId,
};
use colloquy_proto::protocol::{
    Ack, AuthExpiring, AuthOk, DeletedEvent, EditedEvent, ErrorCode, ErrorReply, Event, Hello,
    Limits, MemberChange, MemberEvent, MessageEvent, Reset, ResetReason, Sync, encode_batch,
};
use serde_json::Value;

/// From year 0 to year 9999: the years RFC 3339 can write.
const TIMES: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

fn some_time(random: &mut Rng) -> Timestamp {
    Timestamp(random.i64(TIMES))
}

fn some_id(random: &mut Rng) -> ClientMessageId {
    let length = random.usize(1..=ClientMessageId::MAX_CHARS);
    let id: String = (0..length).map(|_| random.char('!'..='~')).collect();
    ClientMessageId::new(id).expect("printable")
}

/// An event of any kind.
pub(crate) fn some_event(random: &mut Rng) -> Event {
    let (seq, message_id) = (Seq(random.i64(..)), MessageId(random.i64(..)));
    let (version, user_id) = (random.i64(..), UserId(random.i64(..)));
    let timestamp = some_time(random);
    match random.u8(0..6) {
        0 => Event::Edited(EditedEvent {
            seq,
            message_id,
            message: arbitrary_text(random).into(),
            version,
            user_id,
            timestamp,
        }),
        1 => Event::Deleted(DeletedEvent {
            seq,
            message_id,
            version,
            user_id,
            timestamp,
        }),
        2 => Event::Member(MemberEvent {
            seq,
            user_id,
            username: arbitrary_text(random).into(),
            change: if random.bool() {
                MemberChange::Added
            } else {
                MemberChange::Removed
            },
            by: UserId(random.i64(..)),
            timestamp,
        }),
        _ => Event::Message(some_message(random)),
    }
}

/// A message event with arbitrary fields.
fn some_message(random: &mut Rng) -> MessageEvent {
    MessageEvent {
        seq: Seq(random.i64(..)),
        number: MessageNumber(random.i64(..)),
        message_id: MessageId(random.i64(..)),
        message: arbitrary_text(random).into(),
        sender_id: UserId(random.i64(..)),
        sender: arbitrary_text(random).into(),
        timestamp: some_time(random),
        client_message_id: random.bool().then(|| some_id(random)),
        reply_to: random.bool().then(|| MessageId(random.i64(..))),
        mentions: (0..random.usize(0..4))
            .map(|_| UserId(random.i64(..)))
            .collect(),
        version: random.i64(..),
    }
}

fn parsed(text: &str) -> Value {
    assert!(!text.contains('\n'), "a frame with a line break: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn events_round_trip() {
    for_all("events_round_trip", 5_000, |random| {
        let events: Vec<Event> = (0..random.usize(1..5))
            .map(|_| some_event(random))
            .collect();
        let texts: Vec<Arc<str>> = events.iter().map(Event::encode).collect();
        for (event, text) in events.iter().zip(&texts) {
            let read: Event = serde_json::from_str(text).expect("an event");
            assert_eq!(&read, event);
            assert_eq!(read.encode(), *text, "the encoding is deterministic");
        }
        let batch = parsed(&encode_batch(&texts));
        assert_eq!(batch["type"], "batch");
        let whole: Vec<Event> = serde_json::from_value(batch["events"].clone()).expect("events");
        assert_eq!(whole, events);
    });
}

#[test]
fn rest_messages_and_events_agree() {
    for_all("rest_messages_and_events_agree", 3_000, |random| {
        let event = some_message(random);
        let message = Message::from(event.clone());
        let text = serde_json::to_string(&message).expect("JSON");
        let read: Message = serde_json::from_str(&text).expect("a message");
        assert_eq!(read, message);
        assert_eq!(MessageEvent::from(read), event);
    });
}

#[test]
fn timestamps_round_trip_in_both_forms() {
    for_all("timestamps_round_trip_in_both_forms", 10_000, |random| {
        let time = some_time(random);
        let text = serde_json::to_string(&time).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Timestamp>(&text).expect("RFC 3339"),
            time
        );
        let millis = time.0.to_string();
        assert_eq!(
            serde_json::from_str::<Timestamp>(&millis).expect("milliseconds"),
            time
        );
        // A time outside the range is still formatted.
        assert!(Timestamp(random.i64(..)).to_string().ends_with('Z'));
    });
}

#[test]
fn replies_are_frames_of_their_type() {
    for_all("replies_are_frames_of_their_type", 3_000, |random| {
        let (seq, number) = (Seq(random.i64(..)), MessageNumber(random.i64(..)));
        let epoch = Epoch(arbitrary_text(random).into());
        let at = some_time(random);
        let limits = Limits::with_throttle(random.i64(0..));
        let hello = Hello::new(
            ConversationId(random.i64(..)),
            epoch.clone(),
            (seq, number),
            UserId(1),
            (at, at),
            limits,
        );
        let ack = Ack {
            client_message_id: some_id(random),
            message_id: MessageId(random.i64(..)),
            seq,
            number,
            timestamp: at,
            duplicate: random.bool(),
        };
        let sync = Sync {
            from: seq,
            to: seq,
            count: random.usize(..),
            complete: true,
        };
        let reason = ResetReason::EpochChanged;
        let reset = Reset {
            reason,
            seq,
            epoch: epoch.clone(),
        };
        let expiring = AuthExpiring {
            in_s: random.i64(..),
        };
        let ok = AuthOk {
            token_expires_at: at,
            server_time: at,
        };
        let frames = [
            ("hello", hello.encode()),
            ("ack", ack.encode()),
            ("sync", sync.encode()),
            ("reset", reset.encode()),
            ("auth.expiring", expiring.encode()),
            ("auth.ok", ok.encode()),
        ];
        for (kind, text) in frames {
            let frame = parsed(&text);
            assert_eq!(frame["type"], kind);
            for (name, expected) in [
                ("epoch", epoch.0.to_string()),
                (
                    "client_message_id",
                    ack.client_message_id.as_str().to_owned(),
                ),
            ] {
                assert!(
                    frame.get(name).is_none_or(|value| *value == *expected),
                    "{frame}"
                );
            }
        }
        let code = ErrorCode::ALL[random.usize(0..ErrorCode::ALL.len())];
        let error = ErrorReply {
            kind: random.bool().then_some("error"),
            error: arbitrary_text(random),
            code,
            client_message_id: random.bool().then(|| some_id(random)),
            retryable: code.retryable(),
            retry_after_ms: random.bool().then(|| random.i64(0..)),
        };
        let frame = parsed(&error.encode());
        assert_eq!(
            (&frame["code"], &frame["error"]),
            (&code.as_str().into(), &error.error.into())
        );
        assert_eq!(frame.get("type").is_some(), error.kind.is_some());
    });
}
