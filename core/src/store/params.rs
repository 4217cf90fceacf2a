//! The parameters of statements, from domain values. Both dialects take the same ones.

use std::fmt::Write as _;

use super::dialect::Change;
use super::driver::Param;
use crate::page_size::MAX_HISTORY_BYTES;
use crate::ports::{HistoryRange, NewMessage, Rotation};
use crate::unicode::{email_key, lowercase_key, username_key};
use colloquy_proto::domain::{
    Caller, ConversationId, ConversationKind, DeviceKey, MessageNumber, MessageText,
    NewConversation, NewUser, Seq, Timestamp,
};

/// The first three parameters of every statement that depends on the caller.
pub(super) fn caller_params(caller: &Caller, now: Timestamp) -> Vec<Param<'_>> {
    vec![
        Param::Int(caller.user_id.0),
        Param::Text(&caller.session_id.0),
        Param::Int(now.0),
    ]
}

/// The parameters of a change: the caller, the conversation, what is changed.
pub(super) fn change_params<'a>(
    caller: &'a Caller,
    conversation_id: ConversationId,
    change: Change<'a>,
    now: Timestamp,
) -> Vec<Param<'a>> {
    let mut params = caller_params(caller, now);
    params.push(Param::Int(conversation_id.0));
    match change {
        Change::EditMessage(message_id, text) => params.extend([
            Param::Int(message_id.0),
            Param::OptionalText(text.map(MessageText::as_str)),
        ]),
        Change::AddMember(user_id, max_members) => {
            params.extend([Param::Int(user_id.0), Param::Int(max_members)]);
        }
        Change::RemoveMember(user_id) => params.push(Param::Int(user_id.0)),
    }
    params
}

/// The parameters of `sessions/rotate`, without the device.
pub(super) fn rotation_params(rotation: &Rotation) -> Vec<Param<'_>> {
    vec![
        Param::Text(&rotation.session_id.0),
        Param::Int(rotation.user_id.0),
        Param::Int(rotation.generation),
        Param::Int(rotation.now.0),
        Param::Int(rotation.expires_at.0),
        Param::Int(rotation.repeatable_since.0),
    ]
}

/// A device, if there is one.
pub(super) fn device_param(device: Option<&DeviceKey>) -> Param<'_> {
    Param::OptionalText(device.map(|device| &*device.0))
}

/// The keys of a new account.
pub(super) struct UserKeys {
    pub(super) username_lowercase: String,
    pub(super) username: String,
    pub(super) email_lowercase: String,
    pub(super) email: String,
}

impl UserKeys {
    pub(super) fn of(user: &NewUser) -> Self {
        Self {
            username_lowercase: lowercase_key(&user.username),
            username: username_key(&user.username),
            email_lowercase: lowercase_key(&user.email),
            email: email_key(&user.email),
        }
    }

    /// The parameters of `accounts/explain_create`.
    pub(super) fn params(&self) -> [Param<'_>; 4] {
        [
            Param::Text(&self.username_lowercase),
            Param::Text(&self.username),
            Param::Text(&self.email_lowercase),
            Param::Text(&self.email),
        ]
    }
}

/// The parameters of `accounts/create_user`.
pub(super) fn user_params<'a>(
    user: &'a NewUser,
    keys: &'a UserKeys,
    now: Timestamp,
) -> [Param<'a>; 11] {
    let [username_lowercase, username_key, email_lowercase, email_key] = keys.params();
    [
        Param::Text(&user.username),
        username_lowercase,
        username_key,
        Param::Text(&user.email),
        email_lowercase,
        email_key,
        Param::Text(&user.password_hash),
        Param::Text(&user.first_name),
        Param::Text(&user.last_name),
        Param::Int(i64::from(user.is_admin)),
        Param::Int(now.0),
    ]
}

/// A page as `messages/page` takes it: at most `below_limit` messages with a number below `below`,
/// and at most `above_limit` with a number above `above`.
pub(super) struct NumberWindow {
    pub(super) below: i64,
    pub(super) below_limit: i64,
    pub(super) above: i64,
    pub(super) above_limit: i64,
    /// The bytes that fill each of the two parts.
    pub(super) bytes: i64,
}

impl NumberWindow {
    pub(super) fn new(range: HistoryRange, limit: i64) -> Self {
        let limit = limit.max(0);
        match range {
            HistoryRange::Latest => Self::below(i64::MAX, limit),
            HistoryRange::Before(MessageNumber(number)) => Self::below(number, limit),
            HistoryRange::After(MessageNumber(number)) => Self {
                below: 0,
                below_limit: 0,
                above: number,
                above_limit: limit,
                bytes: MAX_HISTORY_BYTES,
            },
            HistoryRange::Around(MessageNumber(number)) => {
                // The message itself belongs to the half below.
                let below_limit = (limit / 2 + 1).min(limit);
                Self {
                    below: number.saturating_add(1),
                    below_limit,
                    above: number,
                    above_limit: limit - below_limit,
                    bytes: MAX_HISTORY_BYTES / 2,
                }
            }
        }
    }

    const fn below(number: i64, limit: i64) -> Self {
        Self {
            below: number,
            below_limit: limit,
            above: 0,
            above_limit: 0,
            bytes: MAX_HISTORY_BYTES,
        }
    }
}

/// A list of ids as a JSON array, since parameters are integers and texts only.
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

/// The `seq` of each conversation as a JSON object: `{"1":7,"2":9}`.
pub(super) fn seqs_json(at: &[(ConversationId, Seq)]) -> String {
    let mut json = String::from("{");
    for (index, (conversation_id, seq)) in at.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(json, "{comma}\"{conversation_id}\":{}", seq.0);
    }
    json.push('}');
    json
}

/// The users that a send mentions. Null when there are none, which takes no space in the row.
pub(super) fn mentions_json(send: &NewMessage) -> Option<String> {
    (!send.mentions.is_empty()).then(|| ids_json(send.mentions.iter().map(|id| id.0)))
}

/// The unique key of a direct conversation, `min:max` of the two user ids. `None` for a group.
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
