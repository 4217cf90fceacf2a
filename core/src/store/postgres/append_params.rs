//! The parameters of a batch of sends in PostgreSQL: one array for each column.
//!
//! The columns of the senders are separate from those of the sends: a busy Room's batch holds many
//! sends of few senders (docs/decisions/0004-batched-commits.md).

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::array_text::{array, numbers};
use colloquy_proto::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, NewMessage, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};

/// A batch by conversation, sender and send.
pub(super) struct AppendParams<'a> {
    sends: &'a [NewMessage],
    targets: Vec<TargetConversation>,
    senders: Vec<BatchSender<'a>>,
    /// One for each send.
    placements: Vec<Placement>,
}

/// A conversation that the batch writes to.
struct TargetConversation {
    id: ConversationId,
    /// How many of the sends are for it.
    sends: i64,
    /// The newest time of those.
    newest: Timestamp,
    /// The index of the last one among all sends, from one.
    last: i64,
}

/// A user and session, in one conversation.
struct BatchSender<'a> {
    conversation_id: ConversationId,
    user_id: UserId,
    session_id: &'a SessionId,
    /// The index of its conversation.
    target: usize,
    /// The newest time of its sends.
    until: Timestamp,
}

/// The place of a send in its conversation if every send of the batch is stored.
struct Placement {
    /// The index of its sender.
    sender: usize,
    /// Its ordinal within its conversation, from one.
    ordinal: i64,
    /// The newest time of its conversation's sends up to this one.
    time: Timestamp,
}

/// The result of `messages/append_all`.
#[derive(Deserialize)]
pub(super) struct StoredAll {
    pub(super) epoch: Epoch,
    /// One for each send.
    ids: Vec<MessageId>,
    conversations: Vec<PreviousPosition>,
    /// The username of each sender.
    names: Vec<Arc<str>>,
    /// The mentioned members of each message that has any.
    mentions: Vec<(MessageId, Vec<UserId>)>,
}

/// A conversation before the batch: its last `seq`, `number` and time.
#[derive(Deserialize)]
struct PreviousPosition(ConversationId, Seq, MessageNumber, Timestamp);

impl<'a> AppendParams<'a> {
    pub(super) fn new(sends: &'a [NewMessage]) -> Self {
        let mut batch = Self {
            sends,
            targets: Vec::new(),
            senders: Vec::new(),
            placements: Vec::with_capacity(sends.len()),
        };
        let (mut target_indices, mut sender_indices) = (HashMap::new(), HashMap::new());
        for send in sends {
            let key = (send.conversation_id, send.sender_id, &send.session_id);
            let sender = *sender_indices.entry(key).or_insert_with(|| {
                let target = *target_indices.entry(key.0).or_insert_with(|| {
                    batch.targets.push(TargetConversation {
                        id: key.0,
                        sends: 0,
                        newest: send.now,
                        last: 0,
                    });
                    batch.targets.len() - 1
                });
                batch.senders.push(BatchSender {
                    conversation_id: key.0,
                    user_id: key.1,
                    session_id: key.2,
                    target,
                    until: send.now,
                });
                batch.senders.len() - 1
            });
            batch.place(sender, send.now);
        }
        batch
    }

    /// Adds the placement of the next send.
    fn place(&mut self, sender_index: usize, now: Timestamp) {
        let sender = &mut self.senders[sender_index];
        sender.until = sender.until.max(now);
        let target = &mut self.targets[sender.target];
        target.sends += 1;
        target.newest = target.newest.max(now);
        self.placements.push(Placement {
            sender: sender_index,
            ordinal: target.sends,
            time: target.newest,
        });
        // A batch has at most some thousand sends.
        target.last = i64::try_from(self.placements.len()).unwrap_or(i64::MAX);
    }

    /// The parameters of `messages/append_each`: three columns of the senders, seven of the sends.
    pub(super) fn for_each(&self) -> [String; 10] {
        let [conversations, users, sessions] = self.sender_arrays();
        let [contents, client_ids, replies, mentions] = self.content_arrays();
        [
            conversations,
            users,
            sessions,
            numbers(self.placements.iter().map(|place| place.sender + 1)),
            numbers(self.sends.iter().map(|send| send.now.0)),
            contents,
            client_ids,
            replies,
            mentions,
            array(self.sends, |dedup_only, send| {
                dedup_only.push(send.dedup_only.then_some(true));
            }),
        ]
    }

    /// The parameters of `messages/append_all`: three columns of the conversations, four of the
    /// senders, seven of the sends, and one more of the conversations.
    pub(super) fn for_all(&self) -> [String; 15] {
        let [conversations, users, sessions] = self.sender_arrays();
        let [contents, client_ids, replies, mentions] = self.content_arrays();
        [
            numbers(self.targets.iter().map(|target| target.id.0)),
            numbers(self.targets.iter().map(|target| target.sends)),
            numbers(self.targets.iter().map(|target| target.newest.0)),
            conversations,
            users,
            sessions,
            numbers(self.senders.iter().map(|sender| sender.until.0)),
            numbers(self.placements.iter().map(|place| place.sender + 1)),
            numbers(self.placements.iter().map(|place| place.ordinal)),
            numbers(self.placements.iter().map(|place| place.time.0)),
            contents,
            client_ids,
            replies,
            mentions,
            numbers(self.targets.iter().map(|target| target.last)),
        ]
    }

    /// The stored message of each send; `None` when the result does not fit the batch.
    pub(super) fn stored(&self, result: &StoredAll) -> Option<Vec<StoredMessage>> {
        let previous = result.conversations.iter();
        let previous: HashMap<_, _> = previous.map(|position| (position.0, position)).collect();
        if result.ids.len() != self.placements.len() {
            return None;
        }
        let mentions: HashMap<_, _> = result.mentions.iter().map(|(id, ids)| (id, ids)).collect();
        let each = self.placements.iter().zip(&result.ids);
        each.map(|(place, id)| {
            let sender = &self.senders[place.sender];
            let PreviousPosition(_, seq, number, active_at) =
                previous.get(&sender.conversation_id)?;
            Some(StoredMessage {
                message_id: *id,
                seq: Seq(seq.0.checked_add(place.ordinal)?),
                number: MessageNumber(number.0.checked_add(place.ordinal)?),
                timestamp: place.time.max(*active_at),
                sender: result.names.get(place.sender)?.clone(),
                mentions: mentions.get(id).copied().cloned().unwrap_or_default(),
            })
        })
        .collect()
    }

    /// Of the senders: conversations, users, sessions.
    fn sender_arrays(&self) -> [String; 3] {
        [
            numbers(self.senders.iter().map(|sender| sender.conversation_id.0)),
            numbers(self.senders.iter().map(|sender| sender.user_id.0)),
            array(&self.senders, |sessions, sender| {
                sessions.quote(Some(&sender.session_id.0));
            }),
        ]
    }

    /// Of the sends: texts, `client_message_id`, `reply_to`, mentions.
    fn content_arrays(&self) -> [String; 4] {
        [
            array(self.sends, |contents, send| {
                contents.quote(Some(send.message.as_str()));
            }),
            array(self.sends, |client_ids, send| {
                client_ids.quote(send.client_message_id.as_ref().map(ClientMessageId::as_str));
            }),
            array(self.sends, |replies, send| {
                replies.push(send.reply_to.map(|id| id.0));
            }),
            array(self.sends, |mentions, send| {
                mentions.quote(mentions_array(&send.mentions).as_deref());
            }),
        ]
    }
}

/// The mentioned users as an array. Null when there are none, which takes no space in the row.
fn mentions_array(ids: &[UserId]) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    Some(numbers(ids.iter().map(|id| id.0)))
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
    fn sender_appears_once_per_conversation() {
        let sends = [
            send(1, 5, "a"),
            send(2, 5, "b"),
            send(1, 6, "c"),
            send(1, 5, "d"),
        ];
        let [
            conversations,
            users,
            sessions,
            senders,
            times,
            contents,
            rest @ ..,
        ] = AppendParams::new(&sends).for_each();
        assert_eq!([&*conversations, &*users], ["{1,2,1}", "{5,5,6}"]);
        assert_eq!(sessions, r#"{"s5","s5","s6"}"#);
        assert_eq!([&*senders, &*times], ["{1,2,3,1}", "{7,7,7,7}"]);
        assert_eq!(contents, r#"{"a","b","c","d"}"#);
        assert_eq!(rest, ["{}", "{}", "{}", "{}"]);
    }

    #[test]
    fn optional_values_keep_their_index() {
        let full = NewMessage {
            client_message_id: Some(ClientMessageId::new("null").unwrap()),
            reply_to: Some(MessageId(3)),
            mentions: vec![UserId(8), UserId(9)],
            dedup_only: true,
            ..send(1, 5, r#"say "\" {,} null"#)
        };
        let sends = [send(1, 5, "plain"), full];
        let [.., contents, ids, replies, mentions, repeats] = AppendParams::new(&sends).for_each();
        assert_eq!(contents, r#"{"plain","say \"\\\" {,} null"}"#);
        assert_eq!(ids, r#"{null,"null"}"#);
        assert_eq!(replies, "{null,3}");
        assert_eq!(mentions, r#"{null,"{8,9}"}"#);
        assert_eq!(repeats, "{null,true}");
    }

    #[test]
    fn empty_batch_has_empty_arrays() {
        assert!(
            AppendParams::new(&[])
                .for_each()
                .iter()
                .all(|array| array == "{}")
        );
    }

    #[test]
    fn ordinals_count_per_conversation_and_times_never_decrease() {
        let at = |conversation, user, now| NewMessage {
            now: Timestamp(now),
            ..send(conversation, user, "a")
        };
        let sends = [at(9, 5, 70), at(4, 5, 80), at(9, 6, 60), at(9, 5, 90)];
        let batch = AppendParams::new(&sends);
        let [
            ids,
            counts,
            newest,
            conversations,
            users,
            _,
            until,
            senders,
            ordinals,
            times,
            ..,
        ] = batch.for_all();
        assert_eq!([&*ids, &*counts, &*newest], ["{9,4}", "{3,1}", "{90,80}"]);
        assert_eq!(
            [&*conversations, &*users, &*until],
            ["{9,4,9}", "{5,5,6}", "{90,80,60}"]
        );
        assert_eq!([&*senders, &*ordinals], ["{1,2,3,1}", "{1,1,2,3}"]);
        assert_eq!(times, "{70,80,70,90}");

        let result = |ids: &str| {
            let text = format!(
                r#"{{"epoch":"e","ids":{ids},"names":["ada","ada","bob"],"mentions":[[13,[7]]],
                "conversations":[[4,20,10,75],[9,300,200,75]]}}"#
            );
            serde_json::from_str::<StoredAll>(&text).unwrap()
        };
        let stored = batch.stored(&result("[11,12,13,14]")).unwrap();
        let positions: Vec<_> = stored
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
            positions,
            [
                (11, 301, 201, 75, "ada"),
                (12, 21, 11, 80, "ada"),
                (13, 302, 202, 75, "bob"),
                (14, 303, 203, 90, "ada"),
            ]
        );
        let mentions: Vec<_> = stored.iter().map(|m| &*m.mentions).collect();
        assert_eq!(mentions, [&[][..], &[], &[UserId(7)], &[]]);
        assert_eq!(batch.stored(&result("[11]")), None);
    }
}
