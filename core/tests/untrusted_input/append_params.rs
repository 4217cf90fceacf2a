//! The parameters of a batch of sends in PostgreSQL: parsed by its rules for arrays, every column equals
//! the sends.
//! <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>

use std::sync::Mutex;

use async_trait::async_trait;
use colloquy_core::ports::Store;
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use colloquy_fuzz::{Rng, arbitrary_text, for_all};
use colloquy_proto::domain::{
    ClientMessageId, ConversationId, MessageId, MessageText, NewMessage, SessionId, Timestamp,
    UserId,
};
use futures_util::FutureExt as _;

/// Records the parameters of each statement, and returns no row.
#[derive(Default)]
struct Recorder(Mutex<Vec<(&'static str, Vec<String>)>>);

#[async_trait]
impl Driver for &Recorder {
    async fn run(&self, _: Access, steps: &[Step<'_>]) -> Result<Vec<Option<String>>, DriverError> {
        let mut statements = self.0.lock().expect("nothing panicked");
        for step in steps {
            let texts = step.params.iter().map(|param| match param {
                Param::Text(text) => (*text).to_owned(),
                other => panic!("not an array: {other:?}"),
            });
            statements.push((step.statement.name, texts.collect()));
        }
        Ok(vec![None; steps.len()])
    }
}

/// The elements of an array of one dimension; null is `None`.
fn elements(array: &str) -> Vec<Option<String>> {
    let inside = array
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let inside = inside.unwrap_or_else(|| panic!("not in braces: {array}"));
    let mut elements = Vec::new();
    let mut chars = inside.chars().peekable();
    while chars.peek().is_some() {
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut text = String::new();
        while let Some(char) = chars.next_if(|char| *char != if quoted { '"' } else { ',' }) {
            match char {
                '\\' => text.extend(chars.next()),
                _ if !quoted && !char.is_ascii_alphanumeric() && char != '-' => {
                    panic!("{char:?} needs quotes: {array}")
                }
                char => text.push(char),
            }
        }
        if quoted {
            assert_eq!(chars.next(), Some('"'), "an unterminated quote: {array}");
        }
        elements.push((quoted || text != "null").then_some(text));
        assert!(
            matches!(chars.next(), None | Some(',')),
            "text between elements: {array}"
        );
    }
    elements
}

/// The same, padded with nulls as `unnest` does beside longer arrays.
fn column(array: &str, length: usize) -> Vec<Option<String>> {
    let mut elements = elements(array);
    assert!(elements.len() == length || elements.is_empty(), "{array}");
    elements.resize(length, None);
    elements
}

fn texts<T: ToString>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<String>> {
    values
        .map(|value| value.map(|value| value.to_string()))
        .collect()
}

fn some_text(random: &mut Rng) -> MessageText {
    let special = ['"', '\\', '{', '}', ',', ' ', '\n', 'n', 'é'];
    let mut text = arbitrary_text(random);
    for _ in 0..random.usize(0..6) {
        text.push(special[random.usize(0..special.len())]);
    }
    MessageText::new(text).unwrap_or_else(|_| MessageText::new("null").expect("a text"))
}

fn some_send(random: &mut Rng) -> NewMessage {
    NewMessage {
        conversation_id: ConversationId(random.i64(1..4)),
        sender_id: UserId(random.i64(1..4)),
        session_id: SessionId(arbitrary_text(random).into()),
        client_message_id: random.bool().then(|| {
            let id: String = (0..random.usize(1..9))
                .map(|_| random.char('!'..='~'))
                .collect();
            ClientMessageId::new(id).expect("printable")
        }),
        message: some_text(random),
        reply_to: random.bool().then(|| MessageId(random.i64(..))),
        mentions: (0..random.usize(0..3))
            .map(|_| UserId(random.i64(..)))
            .collect(),
        dedup_only: random.u8(0..8) == 0,
        now: Timestamp(random.i64(0..1 << 50)),
    }
}

/// Checks the columns of the sends.
fn check_sends(sends: &[NewMessage], [contents, client_ids, replies, mentions]: [&String; 4]) {
    let length = sends.len();
    let expected = sends.iter().map(|send| Some(send.message.as_str()));
    assert_eq!(column(contents, length), texts(expected));
    let expected = sends.iter().map(|send| send.client_message_id.as_ref());
    assert_eq!(
        column(client_ids, length),
        texts(expected.map(|id| id.map(ClientMessageId::as_str)))
    );
    let expected = sends.iter().map(|send| send.reply_to);
    assert_eq!(column(replies, length), texts(expected));
    for (array, send) in column(mentions, length).iter().zip(sends) {
        let expected = send.mentions.iter().map(|id| Some(*id));
        let read = array.as_deref().map(elements).unwrap_or_default();
        assert_eq!(read, texts(expected));
    }
}

/// Checks the columns of the senders, by each send's index into them.
fn check_senders(sends: &[NewMessage], who: [&String; 3], indices: &str) {
    let [conversations, users, sessions] = who.map(|array| elements(array));
    for (index, send) in elements(indices).iter().zip(sends) {
        let index: usize = index
            .as_deref()
            .expect("an index")
            .parse()
            .expect("a number");
        let expected = [&conversations, &users, &sessions].map(|column| column[index - 1].clone());
        let sent = [
            send.conversation_id.to_string(),
            send.sender_id.to_string(),
            send.session_id.0.to_string(),
        ];
        assert_eq!(expected, sent.map(Some));
    }
}

/// Checks the index of the last send of each conversation, from one.
fn check_last_sends(sends: &[NewMessage], targets: &str, last: &str) {
    let expected = elements(targets).into_iter().map(|target| {
        let is_of = |send: &NewMessage| Some(send.conversation_id.to_string()) == target;
        sends.iter().rposition(is_of).map(|index| index + 1)
    });
    assert_eq!(elements(last), texts(expected));
}

#[test]
fn batch_parameters_equal_the_sends() {
    for_all("batch_parameters_equal_the_sends", 2_000, |random| {
        let sends: Vec<NewMessage> = (0..random.usize(2..9)).map(|_| some_send(random)).collect();
        let recorder = Recorder::default();
        let answer = PostgresStore::new(&recorder).append(&sends).now_or_never();
        assert!(answer.expect("at once").is_err(), "no row was returned");
        let statements = recorder.0.into_inner().expect("nothing panicked");
        for (name, params) in &statements {
            match (*name, params.as_slice()) {
                (
                    "messages/append_each",
                    [conversations, users, sessions, senders, times, rest @ ..],
                ) => {
                    check_senders(&sends, [conversations, users, sessions], senders);
                    let expected = sends.iter().map(|send| Some(send.now.0));
                    assert_eq!(elements(times), texts(expected));
                    let [contents, client_ids, replies, mentions, repeats] = rest else {
                        panic!("other columns: {params:?}");
                    };
                    check_sends(&sends, [contents, client_ids, replies, mentions]);
                    let expected = sends.iter().map(|send| send.dedup_only.then_some(true));
                    assert_eq!(column(repeats, sends.len()), texts(expected));
                }
                (
                    "messages/append_all",
                    [
                        targets,
                        counts,
                        _,
                        conversations,
                        users,
                        sessions,
                        _,
                        senders,
                        ordinals,
                        times,
                        rest @ ..,
                    ],
                ) => {
                    check_senders(&sends, [conversations, users, sessions], senders);
                    check_placements(&sends, [targets, counts, ordinals, times]);
                    let [contents, client_ids, replies, mentions, last] = rest else {
                        panic!("other columns: {params:?}");
                    };
                    check_last_sends(&sends, targets, last);
                    check_sends(&sends, [contents, client_ids, replies, mentions]);
                }
                other => panic!("another statement: {other:?}"),
            }
        }
        assert!(
            statements
                .iter()
                .any(|(name, _)| *name == "messages/append_each")
        );
    });
}

/// Checks that each send has its ordinal in its conversation, and a time no earlier than those before.
fn check_placements(sends: &[NewMessage], columns: [&String; 4]) {
    let [targets, counts, ordinals, times] = columns.map(|array| -> Vec<i64> {
        let numbers = elements(array).into_iter();
        numbers
            .map(|one| one.expect("a number").parse().expect("a number"))
            .collect()
    });
    for (target, count) in targets.iter().zip(&counts) {
        let its = |(index, send): (usize, &NewMessage)| {
            (send.conversation_id.0 == *target).then_some((index, send.now.0))
        };
        let its: Vec<(usize, i64)> = sends.iter().enumerate().filter_map(its).collect();
        assert_eq!(i64::try_from(its.len()).ok(), Some(*count));
        let mut newest = i64::MIN;
        for (ordinal, (index, now)) in (1..).zip(its) {
            newest = newest.max(now);
            assert_eq!((ordinals[index], times[index]), (ordinal, newest));
        }
    }
    let placed: i64 = counts.iter().sum();
    assert_eq!(i64::try_from(sends.len()).ok(), Some(placed));
}
