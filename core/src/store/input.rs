//! From domain values to the texts a statement takes. Both dialects read the same ones.

use std::fmt::Write as _;

use super::driver::Param;
use super::reads::asked_by;
use crate::ports::NewMessage;
use colloquy_proto::domain::{
    Caller, ConversationId, ConversationKind, MessageId, MessageText, NewConversation, Seq,
    Timestamp, UserId,
};

/// `[1,2,3]`: how a list of ids travels, since parameters are integers and texts only.
pub(super) fn ids_json(ids: impl IntoIterator<Item = i64>) -> String {
    let mut json = String::from("[");
    for (index, id) in ids.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&id.to_string());
    }
    json.push(']');
    json
}

/// `{"1":7,"2":9}`: how it travels where each conversation stands.
pub(super) fn seqs_json(at: &[(ConversationId, Seq)]) -> String {
    let mut json = String::from("{");
    for (index, (id, seq)) in at.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(json, "{comma}\"{id}\":{}", seq.0);
    }
    json.push('}');
    json
}

/// The people a send mentions; null when there are none, which takes no room in the row.
pub(super) fn mentions_json(send: &NewMessage) -> Option<String> {
    (!send.mentions.is_empty()).then(|| ids_json(send.mentions.iter().map(|id| id.0)))
}

/// What a pair's conversation is unique by: `min:max`. None for a group.
pub(super) fn direct_key(caller: &Caller, conversation: &NewConversation) -> Option<String> {
    match (conversation.kind, conversation.others.as_slice()) {
        (ConversationKind::Direct, [other]) => {
            let (low, high) = (caller.user_id.min(*other), caller.user_id.max(*other));
            Some(format!("{low}:{high}"))
        }
        _ => None,
    }
}

/// A kind as its column holds it.
pub(super) const fn kind_text(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
    }
}

/// The parameters of a change to a message: who asks and when, where, which, its new text.
pub(super) fn change_params<'a>(
    caller: &'a Caller,
    id: ConversationId,
    message_id: MessageId,
    text: Option<&'a MessageText>,
    now: Timestamp,
) -> Vec<Param<'a>> {
    let mut params = asked_by(caller, now);
    params.extend([
        Param::Int(id.0),
        Param::Int(message_id.0),
        Param::OptionalText(text.map(MessageText::as_str)),
    ]);
    params
}

/// The parameters of a change of who is a member: who asks and when, where, whom it is about.
pub(super) fn member_params(
    caller: &Caller,
    id: ConversationId,
    user_id: UserId,
    now: Timestamp,
) -> Vec<Param<'_>> {
    let mut params = asked_by(caller, now);
    params.extend([Param::Int(id.0), Param::Int(user_id.0)]);
    params
}
