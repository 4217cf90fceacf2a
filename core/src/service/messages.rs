//! Messages: sending, editing and deleting them over REST, and reading the history.
//!
//! A send goes through the conversation's Room, as a send over a socket does. Reading the newest
//! page uses the cache of [`RecentHistory`](cache::RecentHistory); every page can be read from the
//! database alone.

use std::sync::Arc;

use futures_util::future::join;
use serde_json::value::RawValue;

use super::stored_change::publish;
use super::{ServiceError, ServiceResult, Services, cursor};
use crate::cache;
use crate::ports::{CacheKind, History, HistoryRange, Store};
use colloquy_proto::domain::{
    AppendOutcome, Caller, ClientMessageId, ConversationId, MAX_MENTIONS, Message, MessageId,
    MessageText, SendOutcome, Seq, StoredMessage, UserId,
};
use colloquy_proto::protocol::{Event, MessageEvent, SendCommand};

/// The most messages of a page.
pub const MAX_PAGE: i64 = 100;

/// A message as submitted, not yet validated.
pub struct SendInput {
    /// The text.
    pub message: Option<String>,
    /// The client's id of the message, from the body.
    pub client_message_id: Option<String>,
    /// The same, from the `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// The mentioned users.
    pub mentions: Option<Vec<UserId>>,
}

/// A stored message.
pub struct SendResult {
    /// The message.
    pub message: Message,
    /// Whether an earlier request stored it.
    pub duplicate: bool,
}

/// Sends a message through the conversation's Room.
///
/// # Errors
/// `Invalid`; `Denied`; `Throttled`; `Conflict` when the id was used for another message;
/// `Overloaded`; `Unavailable`, after which the same request may be repeated.
pub async fn send(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    input: SendInput,
) -> ServiceResult<SendResult> {
    let command = validate(services, input)?;
    let rooms = &services.ports.rooms;
    let outcome = rooms.send(conversation_id, caller, command.clone()).await;
    match outcome {
        SendOutcome::Appended(AppendOutcome::Stored(stored)) => Ok(SendResult {
            message: new_message(command, stored, caller.user_id),
            duplicate: false,
        }),
        SendOutcome::Appended(AppendOutcome::Duplicate(stored)) => {
            let message = load_original(services, caller, conversation_id, &stored).await?;
            ensure_same(&message, &command)?;
            Ok(SendResult {
                message,
                duplicate: true,
            })
        }
        SendOutcome::Appended(AppendOutcome::Denied(denied)) => Err(denied.into()),
        SendOutcome::Appended(AppendOutcome::UnknownReplyTo) => Err(ServiceError::field(
            "reply_to",
            "There is no such message in this conversation.",
        )),
        SendOutcome::Appended(AppendOutcome::NotADuplicate) => Err(ServiceError::Internal(
            "the room returned the result of its own duplicate check".to_owned(),
        )),
        SendOutcome::Throttled { retry_after_ms } => {
            Err(ServiceError::Throttled { retry_after_ms })
        }
        SendOutcome::Overloaded => Err(ServiceError::Overloaded),
        SendOutcome::Unavailable => Err(ServiceError::Unavailable(
            "the room returned no result for a send".to_owned(),
        )),
    }
}

fn validate(services: &Services, input: SendInput) -> ServiceResult<SendCommand> {
    let text = input
        .message
        .ok_or_else(|| ServiceError::field("message", "This field is required."))?;
    let message = MessageText::new(text)
        .map_err(|problem| ServiceError::field("message", problem.to_string()))?;
    let client_message_id = match (input.client_message_id, input.idempotency_key) {
        (Some(body), Some(header)) if body != header => {
            return Err(ServiceError::field(
                "client_message_id",
                "Does not match the Idempotency-Key header.",
            ));
        }
        (body, header) => body.or(header),
    };
    // Without an id the server generates one, so that an append may be repeated after an error
    // without storing the message twice.
    let client_message_id =
        ClientMessageId::new(client_message_id.unwrap_or_else(|| services.random_id()))
            .map_err(|problem| ServiceError::field("client_message_id", problem.to_string()))?;
    let mentions = input.mentions.unwrap_or_default();
    if mentions.len() > MAX_MENTIONS {
        return Err(ServiceError::field(
            "mentions",
            format!("At most {MAX_MENTIONS} users may be mentioned."),
        ));
    }
    Ok(SendCommand {
        client_message_id: Some(client_message_id),
        message,
        reply_to: input.reply_to,
        mentions,
    })
}

fn new_message(command: SendCommand, stored: StoredMessage, sender_id: UserId) -> Message {
    Message {
        id: stored.message_id,
        sender_id,
        sender: stored.sender,
        content: command.message.into_inner(),
        timestamp: stored.timestamp,
        seq: stored.seq,
        number: stored.number,
        client_message_id: command.client_message_id,
        reply_to: command.reply_to,
        mentions: stored.mentions,
        version: 1,
    }
}

/// The message that the first request with this id stored.
async fn load_original(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    stored: &StoredMessage,
) -> ServiceResult<Message> {
    let now = services.ports.clock.now();
    let range = HistoryRange::Around(stored.number);
    let history = services
        .ports
        .store
        .messages(caller, conversation_id, range, 3, now)
        .await??;
    let found = history
        .messages
        .into_iter()
        .find(|message| message.id == stored.message_id);
    found.ok_or_else(|| {
        ServiceError::Internal("the original of a duplicate send was not found".to_owned())
    })
}

/// Rejects a repeated id with another text or `reply_to`; otherwise the sender would assume that
/// this text is stored. The original text of an edited message is not available, so it is not
/// compared.
fn ensure_same(original: &Message, command: &SendCommand) -> ServiceResult<()> {
    let same_text = original.version > 1 || *original.content == *command.message.as_str();
    if same_text && original.reply_to == command.reply_to {
        Ok(())
    } else {
        Err(ServiceError::Conflict(
            "The idempotency key was used for another message.",
        ))
    }
}

/// Replaces the text of one of the caller's messages. Returns the position of the event, or `None`
/// when the message already had this text.
///
/// # Errors
/// `Throttled`; `Denied`; `NotFound`; `Forbidden` when another user sent the message; `Conflict`
/// when it was deleted; `Unavailable`, after which the same request may be repeated.
pub async fn edit(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    message_id: MessageId,
    text: &MessageText,
) -> ServiceResult<Option<Seq>> {
    let now = services.ports.clock.now();
    let limiter = &services.rate_limiter;
    limiter
        .check_edit(caller.user_id, conversation_id)
        .await
        .map_err(|exceeded| ServiceError::Throttled {
            retry_after_ms: exceeded.retry_after_ms,
        })?;
    let store = &services.ports.store;
    let result = store
        .edit_message(caller, conversation_id, message_id, Some(text), now)
        .await;
    publish(services, conversation_id, result).await
}

/// Deletes one of the caller's messages; deleting it again is no error.
///
/// # Errors
/// `Denied`; `NotFound`; `Forbidden` when another user sent the message; `Unavailable`, after which
/// the same request may be repeated.
pub async fn delete(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    message_id: MessageId,
) -> ServiceResult<()> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let result = store
        .edit_message(caller, conversation_id, message_id, None, now)
        .await;
    publish(services, conversation_id, result).await.map(drop)
}

/// Where a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistorySource {
    /// A cache whose content was proven complete.
    Cache(CacheKind),
    /// The database.
    Database,
}

/// A page of a history.
pub struct HistoryPage {
    /// A JSON array, oldest first.
    pub messages: Arc<RawValue>,
    /// Where it was read.
    pub source: HistorySource,
    /// The cursor of the previous page; `None` on the first page.
    pub next_before: Option<String>,
    /// The cursor of the next page; `None` on the last page.
    pub next_after: Option<String>,
    /// The newest event when the page was read.
    pub as_of_seq: Seq,
}

impl HistoryPage {
    fn new(page: cache::RenderedPage, source: HistorySource) -> Self {
        // Numbers are dense from 1, so the first and last page are recognised without an extra row.
        let before = page.first.filter(|number| number.0 > 1);
        let after = page.last.filter(|number| *number < page.position.number);
        Self {
            next_before: before.map(cursor::of_number),
            next_after: after.map(cursor::of_number),
            as_of_seq: page.position.seq,
            messages: page.messages,
            source,
        }
    }
}

/// A page of a conversation's history.
///
/// The newest page is read from database and cache concurrently: a small statement checks the
/// caller's access and returns the conversation's position, the cache returns its events. The
/// cached page is used if it is proven complete at that position; otherwise the database is read.
///
/// # Errors
/// `Denied` when there is no such conversation, the caller is not a member, or the session was
/// revoked.
pub async fn history(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    range: HistoryRange,
    limit: i64,
) -> ServiceResult<HistoryPage> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let recent_history = &services.recent_history;
    let mut cached = None;
    if range == HistoryRange::Latest {
        let (position, read) = join(
            store.position(caller, conversation_id, now),
            recent_history.read(conversation_id, limit),
        )
        .await;
        let position = position??;
        cached = read;
        if let Some(cached) = &mut cached
            && let Some(page) = recent_history.page(cached, &position, limit).await
        {
            let source = HistorySource::Cache(recent_history.kind());
            return Ok(HistoryPage::new(page, source));
        }
    }
    let history = store
        .messages(caller, conversation_id, range, limit, now)
        .await??;
    if let Some(cached) = cached
        && let Some(events) = events_of_page(conversation_id, &history, &**store).await
    {
        let epoch = &history.position.epoch;
        recent_history.fill(&cached, epoch, &events).await;
    }
    let page = cache::RenderedPage::of(&history)
        .map_err(|error| ServiceError::Internal(format!("cannot serialize a page: {error}")))?;
    Ok(HistoryPage::new(page, HistorySource::Database))
}

/// Every event from the oldest message of the newest page on, for the cache. `None` when there are
/// more than the cache keeps, or when they cannot be read at the same epoch.
async fn events_of_page(
    conversation_id: ConversationId,
    history: &History,
    store: &dyn Store,
) -> Option<Vec<Event>> {
    let first = history.messages.first()?.seq;
    let length = history.position.seq.0 - first.0 + 1;
    if i64::try_from(history.messages.len()) == Ok(length) {
        let messages = history.messages.iter().cloned();
        let events = messages.map(|message| Event::Message(MessageEvent::from(message)));
        return Some(events.collect());
    }
    if length > cache::MAX_CACHED_EVENTS {
        return None;
    }
    let since = Seq(first.0 - 1);
    let events = store
        .events(conversation_id, since, cache::MAX_CACHED_EVENTS)
        .await;
    match events {
        Ok(page) => page
            .filter(|page| page.position.epoch == history.position.epoch)
            .map(|page| page.events),
        Err(error) => {
            error.log("cannot read events to fill the cache");
            None
        }
    }
}
