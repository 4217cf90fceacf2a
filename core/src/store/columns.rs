//! A batch of sends as PostgreSQL's `messages/append` takes it: an array for each column.
//!
//! Who sends is told apart from what is sent, since a busy Room's batch holds many sends of few
//! senders.

use std::collections::HashMap;

use crate::domain::{Append, ClientMessageId, UserId};

/// The statement's parameters, in its order: three columns of the senders, seven of the sends.
pub(super) fn columns(sends: &[Append]) -> [String; 10] {
    let [mut conversations, mut users, mut sessions] = [(); 3].map(|()| Array::default());
    let [mut senders, mut times, mut contents] = [(); 3].map(|()| Array::default());
    let [mut own_ids, mut replies, mut mentioned, mut repeats] = [(); 4].map(|()| Array::default());
    let mut known = HashMap::new();
    for send in sends {
        let next = known.len() + 1;
        let sender = (send.conversation_id, send.sender_id, &send.session_id);
        let place = *known.entry(sender).or_insert_with(|| {
            conversations.push(Some(send.conversation_id.0));
            users.push(Some(send.sender_id.0));
            sessions.quote(Some(&send.session_id.0));
            next
        });
        senders.push(Some(place));
        times.push(Some(send.now.0));
        contents.quote(Some(send.message.as_str()));
        own_ids.quote(send.client_message_id.as_ref().map(ClientMessageId::as_str));
        replies.push(send.reply_to.map(|id| id.0));
        mentioned.quote(mentions(&send.mentions).as_deref());
        repeats.push(send.repeat_only.then_some(true));
    }
    [
        conversations,
        users,
        sessions,
        senders,
        times,
        contents,
        own_ids,
        replies,
        mentioned,
        repeats,
    ]
    .map(Array::finish)
}

/// An array of its own; null when nobody is mentioned, which takes no room in the row.
pub(super) fn mentions(ids: &[UserId]) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    let mut array = Array::default();
    for id in ids {
        array.push(Some(id.0));
    }
    Some(array.finish())
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
    use crate::domain::{ConversationId, MessageId, MessageText, SessionId, Timestamp};

    fn send(room: i64, user: i64, text: &str) -> Append {
        Append {
            conversation_id: ConversationId(room),
            sender_id: UserId(user),
            session_id: SessionId(format!("s{user}").into()),
            client_message_id: None,
            message: MessageText::new(text.to_owned()).unwrap(),
            reply_to: None,
            mentions: Vec::new(),
            repeat_only: false,
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
        let [rooms, users, sessions, senders, times, contents, rest @ ..] = columns(&sends);
        assert_eq!([&*rooms, &*users], ["{1,2,1}", "{5,5,6}"]);
        assert_eq!(sessions, r#"{"s5","s5","s6"}"#);
        assert_eq!([&*senders, &*times], ["{1,2,3,1}", "{7,7,7,7}"]);
        assert_eq!(contents, r#"{"a","b","c","d"}"#);
        assert_eq!(rest, ["{}", "{}", "{}", "{}"]);
    }

    #[test]
    fn what_few_sends_have_stands_in_its_place() {
        let full = Append {
            client_message_id: Some(ClientMessageId::new("null").unwrap()),
            reply_to: Some(MessageId(3)),
            mentions: vec![UserId(8), UserId(9)],
            repeat_only: true,
            ..send(1, 5, r#"say "\" {,} null"#)
        };
        let [.., contents, ids, replies, mentions, repeats] = columns(&[send(1, 5, "plain"), full]);
        assert_eq!(contents, r#"{"plain","say \"\\\" {,} null"}"#);
        assert_eq!(ids, r#"{null,"null"}"#);
        assert_eq!(replies, "{null,3}");
        assert_eq!(mentions, r#"{null,"{8,9}"}"#);
        assert_eq!(repeats, "{null,true}");
    }

    #[test]
    fn no_sends_are_no_rows() {
        assert!(columns(&[]).iter().all(|column| column == "{}"));
    }
}
