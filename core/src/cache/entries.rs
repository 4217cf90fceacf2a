//! The stored form of a cached history: `history:{conversation}` is a sorted set of durable events,
//! each member `"{epoch} {event's JSON}"` with the event's `seq` as score.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::ports::CacheCommand;
use colloquy_proto::domain::{ConversationId, Epoch};
use colloquy_proto::protocol::Event;

/// How many events of a conversation are kept: the messages of the largest page, and half as many
/// other events between them.
pub const MAX_CACHED_EVENTS: i64 = 150;

/// How long a history without access is kept: 24 hours.
const TTL_SECONDS: i64 = 24 * 60 * 60;

pub(super) fn key(conversation_id: ConversationId) -> String {
    format!("history:{conversation_id}")
}

pub(super) fn encode_member(epoch: &Epoch, event_json: &str) -> Arc<str> {
    let mut member = String::with_capacity(epoch.0.len() + 1 + event_json.len());
    // Writing to a String cannot fail.
    let _ = write!(member, "{} {event_json}", epoch.0);
    member.into()
}

/// The event; `None` when the member is malformed or of another epoch.
pub(super) fn decode_member(member: &str, epoch: &Epoch) -> Option<Event> {
    let (member_epoch, event_json) = member.split_once(' ')?;
    if member_epoch != &*epoch.0 {
        return None;
    }
    serde_json::from_str(event_json).ok()
}

/// Appends the commands that add members, each with its `seq`, and bound the set.
pub(super) fn push_add(
    commands: &mut Vec<CacheCommand>,
    conversation_id: ConversationId,
    entries: Vec<(i64, Arc<str>)>,
) {
    if entries.is_empty() {
        return;
    }
    let key = key(conversation_id);
    commands.extend([
        CacheCommand::ZAdd {
            key: key.clone(),
            entries,
        },
        CacheCommand::ZTrim {
            key: key.clone(),
            count: MAX_CACHED_EVENTS,
        },
        CacheCommand::Expire {
            key,
            seconds: TTL_SECONDS,
        },
    ]);
}
