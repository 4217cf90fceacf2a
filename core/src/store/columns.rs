//! A batch of sends as PostgreSQL takes it: an array for each column.
//!
//! Who sends is told apart from what is sent, since a busy Room's batch holds many sends of few
//! senders.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use colloquy_proto::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, NewMessage, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};

/// A batch, taken apart.
pub(super) struct Columns<'a> {
    sends: &'a [NewMessage],
    rooms: Vec<Room>,
    senders: Vec<Sender<'a>>,
    places: Vec<Place>,
}

/// A conversation that is sent to.
struct Room {
    id: ConversationId,
    /// How many sends are for it.
    sends: i64,
    /// The newest time of those.
    newest: Timestamp,
}

/// Who sends, where, and by which login.
struct Sender<'a> {
    conversation_id: ConversationId,
    user_id: UserId,
    session_id: &'a SessionId,
    /// Its conversation's index.
    room: usize,
    /// The newest time of what this one sends.
    until: Timestamp,
}

/// Where a send stands when every send is stored.
struct Place {
    /// Its sender's index.
    sender: usize,
    /// Which one of its conversation it is, counted from one.
    ordinal: i64,
    /// The newest time of its conversation's sends up to this one.
    time: Timestamp,
}

/// What `messages/append_all` answers.
#[derive(Deserialize)]
pub(super) struct StoredAll {
    pub(super) epoch: Epoch,
    /// One for each send.
    ids: Vec<MessageId>,
    conversations: Vec<Before>,
    /// The username of each sender.
    names: Vec<Arc<str>>,
}

/// Where a conversation stood before: its last `seq` and `number`, and their time.
#[derive(Deserialize)]
struct Before(ConversationId, Seq, MessageNumber, Timestamp);

impl<'a> Columns<'a> {
    /// Of these sends.
    pub(super) fn new(sends: &'a [NewMessage]) -> Self {
        let mut columns = Self {
            sends,
            rooms: Vec::new(),
            senders: Vec::new(),
            places: Vec::with_capacity(sends.len()),
        };
        let (mut known_rooms, mut known_senders) = (HashMap::new(), HashMap::new());
        for send in sends {
            let who = (send.conversation_id, send.sender_id, &send.session_id);
            let sender = *known_senders.entry(who).or_insert_with(|| {
                let room = *known_rooms.entry(who.0).or_insert_with(|| {
                    columns.rooms.push(Room {
                        id: who.0,
                        sends: 0,
                        newest: send.now,
                    });
                    columns.rooms.len() - 1
                });
                columns.senders.push(Sender {
                    conversation_id: who.0,
                    user_id: who.1,
                    session_id: who.2,
                    room,
                    until: send.now,
                });
                columns.senders.len() - 1
            });
            columns.place(sender, send.now);
        }
        columns
    }

    fn place(&mut self, index: usize, now: Timestamp) {
        let sender = &mut self.senders[index];
        sender.until = sender.until.max(now);
        let room = &mut self.rooms[sender.room];
        room.sends += 1;
        room.newest = room.newest.max(now);
        self.places.push(Place {
            sender: index,
            ordinal: room.sends,
            time: room.newest,
        });
    }

    /// The parameters of `messages/append`: three columns of the senders, seven of the sends.
    pub(super) fn judged(&self) -> [String; 10] {
        let [conversations, users, sessions] = self.who();
        let [contents, own_ids, replies, mentioned] = self.what();
        [
            conversations,
            users,
            sessions,
            numbers(self.places.iter().map(|place| place.sender + 1)),
            numbers(self.sends.iter().map(|send| send.now.0)),
            contents,
            own_ids,
            replies,
            mentioned,
            array(self.sends, |repeats, send| {
                repeats.push(send.dedup_only.then_some(true));
            }),
        ]
    }

    /// The parameters of `messages/append_all`: three columns of the conversations, four of the
    /// senders, seven of the sends.
    pub(super) fn all(&self) -> [String; 14] {
        let [conversations, users, sessions] = self.who();
        let [contents, own_ids, replies, mentioned] = self.what();
        [
            numbers(self.rooms.iter().map(|room| room.id.0)),
            numbers(self.rooms.iter().map(|room| room.sends)),
            numbers(self.rooms.iter().map(|room| room.newest.0)),
            conversations,
            users,
            sessions,
            numbers(self.senders.iter().map(|sender| sender.until.0)),
            numbers(self.places.iter().map(|place| place.sender + 1)),
            numbers(self.places.iter().map(|place| place.ordinal)),
            numbers(self.places.iter().map(|place| place.time.0)),
            contents,
            own_ids,
            replies,
            mentioned,
        ]
    }

    /// Each send's own, when all were stored; `None` for an answer that does not fit the batch.
    pub(super) fn stored(&self, answer: &StoredAll) -> Option<Vec<StoredMessage>> {
        let before: HashMap<_, _> = answer
            .conversations
            .iter()
            .map(|room| (room.0, room))
            .collect();
        if answer.ids.len() != self.places.len() {
            return None;
        }
        let each = self.places.iter().zip(&answer.ids);
        each.map(|(place, id)| {
            let sender = &self.senders[place.sender];
            let Before(_, seq, number, active_at) = before.get(&sender.conversation_id)?;
            Some(StoredMessage {
                message_id: *id,
                seq: Seq(seq.0.checked_add(place.ordinal)?),
                number: MessageNumber(number.0.checked_add(place.ordinal)?),
                timestamp: place.time.max(*active_at),
                sender: answer.names.get(place.sender)?.clone(),
            })
        })
        .collect()
    }

    /// Who sends: conversations, users, sessions.
    fn who(&self) -> [String; 3] {
        [
            numbers(self.senders.iter().map(|sender| sender.conversation_id.0)),
            numbers(self.senders.iter().map(|sender| sender.user_id.0)),
            array(&self.senders, |sessions, sender| {
                sessions.quote(Some(&sender.session_id.0));
            }),
        ]
    }

    /// What is sent: texts, `client_message_id`, `reply_to`, mentions.
    fn what(&self) -> [String; 4] {
        [
            array(self.sends, |contents, send| {
                contents.quote(Some(send.message.as_str()));
            }),
            array(self.sends, |own_ids, send| {
                own_ids.quote(send.client_message_id.as_ref().map(ClientMessageId::as_str));
            }),
            array(self.sends, |replies, send| {
                replies.push(send.reply_to.map(|id| id.0));
            }),
            array(self.sends, |mentioned, send| {
                mentioned.quote(mentions(&send.mentions).as_deref());
            }),
        ]
    }
}

/// An array of its own; null when nobody is mentioned, which takes no room in the row.
pub(super) fn mentions(ids: &[UserId]) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    Some(numbers(ids.iter().map(|id| id.0)))
}

fn numbers(values: impl Iterator<Item = impl ToString>) -> String {
    let mut array = Array::default();
    for value in values {
        array.push(Some(value));
    }
    array.finish()
}

fn array<T>(rows: &[T], add: impl Fn(&mut Array, &T)) -> String {
    let mut array = Array::default();
    for row in rows {
        add(&mut array, row);
    }
    array.finish()
}

/// An array as PostgreSQL reads it from text:
/// <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>.
#[derive(Default)]
struct Array {
    /// Each with a comma before it.
    elements: String,
    /// Whether one of them is more than null.
    says_something: bool,
}

impl Array {
    /// A number or a truth value.
    fn push(&mut self, value: Option<impl ToString>) {
        self.elements.push(',');
        match value {
            Some(value) => self.elements.push_str(&value.to_string()),
            None => return self.elements.push_str("null"),
        }
        self.says_something = true;
    }

    /// A text. In quotes all but quotes and backslashes stands for itself.
    fn quote(&mut self, value: Option<&str>) {
        let Some(mut rest) = value else {
            return self.push(None::<i64>);
        };
        self.elements.push_str(",\"");
        while let Some(index) = rest.find(['"', '\\']) {
            let (plain, special) = rest.split_at(index);
            let (special, after) = special.split_at(1);
            self.elements.push_str(plain);
            self.elements.push('\\');
            self.elements.push_str(special);
            rest = after;
        }
        self.elements.push_str(rest);
        self.elements.push('"');
        self.says_something = true;
    }

    /// The text. Nothing but nulls is empty: `unnest` fills a shorter array up with them.
    fn finish(self) -> String {
        match self.elements.strip_prefix(',') {
            Some(elements) if self.says_something => format!("{{{elements}}}"),
            _ => "{}".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use colloquy_proto::domain::MessageText;

    fn send(room: i64, user: i64, text: &str) -> NewMessage {
        NewMessage {
            conversation_id: ConversationId(room),
            sender_id: UserId(user),
            session_id: SessionId(format!("s{user}").into()),
            client_message_id: None,
            message: MessageText::new(text.to_owned()).unwrap(),
            reply_to: None,
            mentions: Vec::new(),
            dedup_only: false,
            now: Timestamp(7),
        }
    }

    #[test]
    fn a_sender_is_told_once_for_each_conversation() {
        let sends = [
            send(1, 5, "a"),
            send(2, 5, "b"),
            send(1, 6, "c"),
            send(1, 5, "d"),
        ];
        let [rooms, users, sessions, senders, times, contents, rest @ ..] =
            Columns::new(&sends).judged();
        assert_eq!([&*rooms, &*users], ["{1,2,1}", "{5,5,6}"]);
        assert_eq!(sessions, r#"{"s5","s5","s6"}"#);
        assert_eq!([&*senders, &*times], ["{1,2,3,1}", "{7,7,7,7}"]);
        assert_eq!(contents, r#"{"a","b","c","d"}"#);
        assert_eq!(rest, ["{}", "{}", "{}", "{}"]);
    }

    #[test]
    fn what_few_sends_have_stands_in_its_place() {
        let full = NewMessage {
            client_message_id: Some(ClientMessageId::new("null").unwrap()),
            reply_to: Some(MessageId(3)),
            mentions: vec![UserId(8), UserId(9)],
            dedup_only: true,
            ..send(1, 5, r#"say "\" {,} null"#)
        };
        let sends = [send(1, 5, "plain"), full];
        let [.., contents, ids, replies, mentions, repeats] = Columns::new(&sends).judged();
        assert_eq!(contents, r#"{"plain","say \"\\\" {,} null"}"#);
        assert_eq!(ids, r#"{null,"null"}"#);
        assert_eq!(replies, "{null,3}");
        assert_eq!(mentions, r#"{null,"{8,9}"}"#);
        assert_eq!(repeats, "{null,true}");
    }

    #[test]
    fn no_sends_are_no_rows() {
        assert!(
            Columns::new(&[])
                .judged()
                .iter()
                .all(|column| column == "{}")
        );
    }

    #[test]
    fn each_conversation_counts_for_itself_and_its_time_never_goes_back() {
        let at = |room, user, now| NewMessage {
            now: Timestamp(now),
            ..send(room, user, "a")
        };
        let sends = [at(9, 5, 70), at(4, 5, 80), at(9, 6, 60), at(9, 5, 90)];
        let columns = Columns::new(&sends);
        let [
            ids,
            counts,
            newest,
            rooms,
            users,
            _,
            until,
            senders,
            ordinals,
            times,
            ..,
        ] = columns.all();
        assert_eq!([&*ids, &*counts, &*newest], ["{9,4}", "{3,1}", "{90,80}"]);
        assert_eq!(
            [&*rooms, &*users, &*until],
            ["{9,4,9}", "{5,5,6}", "{90,80,60}"]
        );
        assert_eq!([&*senders, &*ordinals], ["{1,2,3,1}", "{1,1,2,3}"]);
        assert_eq!(times, "{70,80,70,90}");

        let answer = |ids: &str| {
            let text = format!(
                r#"{{"epoch":"e","ids":{ids},"names":["ada","ada","bob"],
                "conversations":[[4,20,10,75],[9,300,200,75]]}}"#
            );
            serde_json::from_str::<StoredAll>(&text).unwrap()
        };
        let stored = columns.stored(&answer("[11,12,13,14]")).unwrap();
        let told: Vec<_> = stored
            .iter()
            .map(|m| {
                (
                    m.message_id.0,
                    m.seq.0,
                    m.number.0,
                    m.timestamp.0,
                    &*m.sender,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (11, 301, 201, 75, "ada"),
                (12, 21, 11, 80, "ada"),
                (13, 302, 202, 75, "bob"),
                (14, 303, 203, 90, "ada"),
            ]
        );
        assert_eq!(columns.stored(&answer("[11]")), None);
    }
}
