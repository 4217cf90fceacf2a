//! Messages: reading a history and sending over REST.

use std::sync::Arc;

use futures_util::future::join;
use serde_json::value::RawValue;

use super::{ServiceError, ServiceResult, Services, cursor};
use crate::cache;
use crate::ports::{CacheKind, History, HistoryRange, Store};
use colloquy_proto::domain::{
    AppendOutcome, Caller, ClientMessageId, ConversationId, MAX_MENTIONS, Message, MessageId,
    MessageText, SendOutcome, Seq, StoredMessage, UserId,
};
use colloquy_proto::protocol::{Event, MessageEvent, SendCommand};

/// The most messages a page has.
pub const MAX_PAGE: i64 = 100;

/// Where a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A cache whose content was proven complete.
    Cache(CacheKind),
    /// The database.
    Database,
}

/// A page of a history.
pub struct HistoryPage {
    /// Oldest first, as a JSON array.
    pub messages: Arc<RawValue>,
    /// Where it was read.
    pub source: Source,
    /// For the page before, unless this one begins at the beginning.
    pub next_before: Option<String>,
    /// For the page after, unless this one reaches the end.
    pub next_after: Option<String>,
    /// The newest event when the page was read.
    pub as_of_seq: Seq,
}

impl HistoryPage {
    fn new(page: cache::RenderedPage, source: Source) -> Self {
        // Numbers are dense from 1, so the ends are known without asking for one more.
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
/// The newest page asks two things at once: the database, by one small statement, whether the
/// caller may read and where the conversation stands; the cache, what it holds. The cache is
/// believed when it proves that it reaches there; otherwise the database answers.
///
/// # Errors
/// `Denied` when there is no such conversation, the caller is not in it, or the login was ended.
pub async fn history(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    page: HistoryRange,
    limit: i64,
) -> ServiceResult<HistoryPage> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let mut recent = None;
    if page == HistoryRange::Latest {
        let (position, mut cached) = join(
            store.position(caller, id, now),
            services.recent.read(id, limit),
        )
        .await;
        let position = position??;
        if let Some(cached) = &mut cached
            && let Some(page) = services.recent.page(cached, &position, limit).await
        {
            let source = Source::Cache(services.recent.kind());
            return Ok(HistoryPage::new(page, source));
        }
        recent = cached;
    }
    let history = store.messages(caller, id, page, limit, now).await??;
    if let Some(recent) = recent
        && let Some(events) = events_of(id, &history, &**store).await
    {
        let epoch = &history.position.epoch;
        services.recent.fill(&recent, epoch, &events).await;
    }
    let page = cache::RenderedPage::of(&history)
        .map_err(|error| ServiceError::Fault(format!("a page could not be written: {error}")))?;
    Ok(HistoryPage::new(page, Source::Database))
}

/// Every event of a newest page: its messages, and what happened between and after them. `None`
/// when there is more of that than is kept.
async fn events_of(id: ConversationId, history: &History, store: &dyn Store) -> Option<Vec<Event>> {
    let first = history.messages.first()?.seq;
    let length = history.position.seq.0 - first.0 + 1;
    if i64::try_from(history.messages.len()) == Ok(length) {
        let messages = history.messages.iter().cloned();
        let events = messages.map(|message| Event::Message(MessageEvent::from(message)));
        return Some(events.collect());
    }
    if length > cache::KEPT_EVENTS {
        return None;
    }
    let since = Seq(first.0 - 1);
    match store.events(id, since, cache::KEPT_EVENTS).await {
        Ok(page) => page
            .filter(|page| page.position.epoch == history.position.epoch)
            .map(|page| page.events),
        Err(error) => {
            error.log("a cache could not be filled");
            None
        }
    }
}

/// A message as asked for; nothing of it has been checked.
pub struct Draft {
    /// The text.
    pub message: Option<String>,
    /// The sender's id for it, from the body.
    pub client_message_id: Option<String>,
    /// The same, from the header.
    pub idempotency_key: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The people it mentions.
    pub mentions: Option<Vec<UserId>>,
}

/// A message that is stored.
pub struct Sent {
    /// It.
    pub message: Message,
    /// Whether an earlier request had stored it.
    pub duplicate: bool,
}

/// Sends a message through the conversation's Room.
///
/// # Errors
/// `Invalid`; `Denied`; `Throttled`; `Conflict` when the id was used for another message;
/// `Overloaded`; `Unavailable`, after which the same request may be sent again.
pub async fn send(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    draft: Draft,
) -> ServiceResult<Sent> {
    let command = check(services, draft)?;
    match services.ports.rooms.send(id, caller, command.clone()).await {
        SendOutcome::Appended(AppendOutcome::Stored(stored)) => Ok(Sent {
            message: message_of(command, stored, caller.user_id),
            duplicate: false,
        }),
        SendOutcome::Appended(AppendOutcome::Duplicate(stored)) => {
            let message = first_sent(services, caller, id, &stored).await?;
            // Else the sender would believe this text stored as well. What the first one was is not
            // known any more once it was changed.
            let same_text = message.version > 1 || *message.content == *command.message.as_str();
            if !same_text || message.reply_to != command.reply_to {
                return Err(ServiceError::Conflict(
                    "The idempotency key was used for another message.",
                ));
            }
            Ok(Sent {
                message,
                duplicate: true,
            })
        }
        SendOutcome::Appended(AppendOutcome::Denied(denied)) => Err(denied.into()),
        SendOutcome::Appended(AppendOutcome::UnknownReplyTo) => Err(ServiceError::field(
            "reply_to",
            "There is no such message in this conversation.",
        )),
        SendOutcome::Appended(AppendOutcome::NotADuplicate) => Err(ServiceError::Fault(
            "a Room passed on the answer to its own question".to_owned(),
        )),
        SendOutcome::Throttled { retry_after_ms } => {
            Err(ServiceError::Throttled { retry_after_ms })
        }
        SendOutcome::Overloaded => Err(ServiceError::Overloaded),
        SendOutcome::Unavailable => Err(ServiceError::Unavailable(
            "a send was not answered".to_owned(),
        )),
    }
}

fn check(services: &Services, draft: Draft) -> ServiceResult<SendCommand> {
    let text = draft
        .message
        .ok_or_else(|| ServiceError::field("message", "This field is required."))?;
    let message = MessageText::new(text)
        .map_err(|problem| ServiceError::field("message", problem.to_string()))?;
    let given = match (draft.client_message_id, draft.idempotency_key) {
        (Some(body), Some(header)) if body != header => {
            return Err(ServiceError::field(
                "client_message_id",
                "It differs from the Idempotency-Key header.",
            ));
        }
        (body, header) => body.or(header),
    };
    // Without one of the client's, one of ours: then a repeat on the way to the database is safe.
    let client_message_id = ClientMessageId::new(given.unwrap_or_else(|| services.random_id()))
        .map_err(|problem| ServiceError::field("client_message_id", problem.to_string()))?;
    let mentions = draft.mentions.unwrap_or_default();
    if mentions.len() > MAX_MENTIONS {
        return Err(ServiceError::field(
            "mentions",
            format!("At most {MAX_MENTIONS} people may be mentioned."),
        ));
    }
    Ok(SendCommand {
        client_message_id: Some(client_message_id),
        message,
        reply_to: draft.reply_to,
        mentions,
    })
}

fn message_of(command: SendCommand, stored: StoredMessage, sender_id: UserId) -> Message {
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
        mentions: command.mentions,
        version: 1,
    }
}

/// The message as its first request stored it.
async fn first_sent(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    stored: &StoredMessage,
) -> ServiceResult<Message> {
    let now = services.ports.clock.now();
    let page = HistoryRange::Around(stored.number);
    let history = services
        .ports
        .store
        .messages(caller, id, page, 3, now)
        .await??;
    let found = history
        .messages
        .into_iter()
        .find(|message| message.id == stored.message_id);
    found.ok_or_else(|| {
        ServiceError::Fault("a message that was sent twice cannot be found".to_owned())
    })
}
