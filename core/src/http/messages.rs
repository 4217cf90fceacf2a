//! `/api/chat/conversations/{id}/messages/`: sending, editing and deleting messages, and the
//! history.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{
    Authenticated, ConversationItemPath, ConversationPath, JsonBody, QueryParams,
};
use super::headers::single_value;
use super::openapi::{BadRequestBody, ErrorBody};
use super::sized_json::SizedJson;
use crate::ports::{CacheKind, HistoryRange};
use crate::service::cursor;
use crate::service::messages::{self, HistoryPage, HistorySource, MAX_PAGE, SendInput, SendResult};
use colloquy_proto::domain::{ConversationId, Message, MessageId, MessageText, Seq, UserId};

/// The length of a history response without its messages, in bytes; slightly generous.
const HISTORY_ENVELOPE_BYTES: usize = 256;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A message to send.
#[derive(Deserialize, ToSchema)]
pub(super) struct SendRequest {
    /// 1 to 4,000 characters, not all white space.
    #[schema(required = true, nullable = false, example = "Hello")]
    message: Option<String>,
    /// The client's id of the message: 1 to 64 printable ASCII characters. Repeating the request
    /// with the same id returns the first result. The `Idempotency-Key` header is equivalent.
    client_message_id: Option<String>,
    /// The id of the message it replies to.
    #[schema(value_type = Option<i64>)]
    reply_to: Option<MessageId>,
    /// The ids of the mentioned users; at most 50. Users that are not members are dropped.
    #[schema(value_type = Option<Vec<i64>>)]
    mentions: Option<Vec<UserId>>,
}

/// A stored message.
#[derive(Serialize, ToSchema)]
pub(super) struct SendResponse {
    #[serde(flatten)]
    message: Message,
    /// Whether an earlier request stored it.
    duplicate: bool,
}

/// Send a message
#[utoipa::path(
    post, path = "/api/chat/conversations/{id}/messages/", tag = "messages", operation_id = "sendMessage",
    security(("bearer" = [])), request_body = SendRequest,
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("Idempotency-Key" = Option<String>, Header, description = "Equivalent to client_message_id"),
    ),
    responses(
        (status = 201, description = "The message is stored and being delivered to every member", body = SendResponse),
        (status = 200, description = "An earlier request with the same id stored it", body = SendResponse),
        (status = 400, description = "A field is invalid", body = BadRequestBody),
        (status = 409, description = "The id was used for another message", body = ErrorBody),
        (status = 429, description = "Faster than the throttle allows", body = ErrorBody),
    )
)]
pub(super) async fn send(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(conversation_id): ConversationPath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SendRequest>,
) -> ApiResult<(StatusCode, Json<SendResponse>)> {
    let SendRequest {
        message,
        client_message_id,
        reply_to,
        mentions,
    } = body;
    let idempotency_key = single_value(&headers, &IDEMPOTENCY_KEY).map_err(|_| {
        let problem = "Send the Idempotency-Key header once, as ASCII text without a comma.";
        ApiError::field("client_message_id", problem)
    })?;
    let input = SendInput {
        message,
        client_message_id,
        idempotency_key: idempotency_key.map(str::to_owned),
        reply_to,
        mentions,
    };
    let SendResult { message, duplicate } =
        messages::send(app.services(), &caller, conversation_id, input).await?;
    let status = if duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(SendResponse { message, duplicate })))
}

/// A message's new text.
#[derive(Deserialize, ToSchema)]
pub(super) struct EditRequest {
    /// 1 to 4,000 characters, not all white space.
    #[schema(required = true, nullable = false, example = "Hello again")]
    message: Option<String>,
}

/// An edited message.
#[derive(Serialize, ToSchema)]
pub(super) struct EditResponse {
    /// Its id.
    #[schema(value_type = i64, example = 123)]
    id: MessageId,
    /// Its text.
    #[schema(example = "Hello again")]
    content: String,
    /// The position of the event; null when the message already had this text.
    #[schema(value_type = Option<i64>, required, example = 844)]
    seq: Option<Seq>,
}

/// Edit a message
#[utoipa::path(
    patch, path = "/api/chat/conversations/{id}/messages/{message_id}/", tag = "messages", operation_id = "editMessage",
    security(("bearer" = [])), request_body = EditRequest,
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("message_id" = i64, Path, description = "A message the caller sent"),
    ),
    responses(
        (status = 200, description = "The message has this text; every member receives an event", body = EditResponse),
        (status = 400, description = "The text is invalid", body = BadRequestBody),
        (status = 403, description = "Another user sent the message, or the caller is not a member", body = ErrorBody),
        (status = 404, description = "There is no such message in the conversation", body = ErrorBody),
        (status = 409, description = "The message was deleted", body = ErrorBody),
        (status = 429, description = "More edits than the throttle allows", body = ErrorBody),
    )
)]
pub(super) async fn edit(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationItemPath(conversation_id, message_id): ConversationItemPath,
    JsonBody(body): JsonBody<EditRequest>,
) -> ApiResult<Json<EditResponse>> {
    let text = body
        .message
        .ok_or_else(|| ApiError::field("message", "This field is required."))?;
    let text = MessageText::new(text)
        .map_err(|problem| ApiError::field("message", problem.to_string()))?;
    let id = MessageId(message_id);
    let seq = messages::edit(app.services(), &caller, conversation_id, id, &text).await?;
    let content = text.as_str().to_owned();
    Ok(Json(EditResponse { id, content, seq }))
}

/// Delete a message
#[utoipa::path(
    delete, path = "/api/chat/conversations/{id}/messages/{message_id}/", tag = "messages", operation_id = "deleteMessage",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("message_id" = i64, Path, description = "A message the caller sent"),
    ),
    responses(
        (status = 204, description = "The text is deleted; every member receives an event"),
        (status = 403, description = "Another user sent the message, or the caller is not a member", body = ErrorBody),
        (status = 404, description = "There is no such message in the conversation", body = ErrorBody),
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationItemPath(conversation_id, message_id): ConversationItemPath,
) -> ApiResult<StatusCode> {
    let message_id = MessageId(message_id);
    messages::delete(app.services(), &caller, conversation_id, message_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of a history.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryResponse {
    /// The conversation.
    #[schema(value_type = i64, example = 7)]
    conversation_id: ConversationId,
    /// Oldest first.
    #[schema(value_type = Vec<Message>)]
    messages: Arc<RawValue>,
    /// Where the page was read: `redis`, `cache` (in this process) or `database`.
    #[schema(example = "redis")]
    source: &'static str,
    /// For the previous page; null on the first page.
    #[schema(required)]
    next_before: Option<String>,
    /// For the next page; null on the last page.
    #[schema(required)]
    next_after: Option<String>,
    /// The newest event when the page was read.
    #[schema(value_type = i64)]
    as_of_seq: Seq,
}

/// Read a history
#[utoipa::path(
    get, path = "/api/chat/conversations/{id}/messages/", tag = "messages", operation_id = "listMessages",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "The most messages returned; 100 by default, and fewer when they exceed 512 KiB"),
        ("before" = Option<String>, Query, description = "A cursor or a message's number: the nearest older messages"),
        ("after" = Option<String>, Query, description = "A cursor or a message's number: the nearest newer messages"),
        ("around" = Option<String>, Query, description = "A cursor or a message's number: that message and its neighbours"),
    ),
    responses(
        (status = 200, description = "Oldest first; the newest messages without a parameter", body = HistoryResponse),
        (status = 400, description = "A parameter is invalid", body = BadRequestBody),
    )
)]
pub(super) async fn history(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(conversation_id): ConversationPath,
    params: QueryParams,
) -> ApiResult<SizedJson<HistoryResponse>> {
    let (range, limit) = (range(&params)?, params.limit(MAX_PAGE)?);
    let page = messages::history(app.services(), &caller, conversation_id, range, limit).await?;
    let HistoryPage {
        messages,
        source,
        next_before,
        next_after,
        as_of_seq,
    } = page;
    let source = match source {
        HistorySource::Cache(CacheKind::Redis) => "redis",
        HistorySource::Cache(CacheKind::InProcess) => "cache",
        HistorySource::Database => "database",
    };
    let capacity = messages.get().len() + HISTORY_ENVELOPE_BYTES;
    let value = HistoryResponse {
        conversation_id,
        messages,
        source,
        next_before,
        next_after,
        as_of_seq,
    };
    Ok(SizedJson { value, capacity })
}

fn range(params: &QueryParams) -> ApiResult<HistoryRange> {
    let mut given = ["before", "after", "around"]
        .into_iter()
        .filter_map(|name| Some((name, params.get(name)?)));
    let Some((name, text)) = given.next() else {
        return Ok(HistoryRange::Latest);
    };
    if given.next().is_some() {
        return Err(ApiError::field(
            name,
            "Use only one of before, after and around.",
        ));
    }
    let number = cursor::number(text).ok_or_else(|| ApiError::field(name, "Invalid cursor."))?;
    Ok(match name {
        "before" => HistoryRange::Before(number),
        "after" => HistoryRange::After(number),
        _ => HistoryRange::Around(number),
    })
}
