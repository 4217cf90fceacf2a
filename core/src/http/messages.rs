//! `/api/chat/conversations/{id}/messages/`: histories and sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::App;
use super::answer::Long;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, ConversationPath, JsonBody, Parameters};
use super::openapi::{BadRequestBody, ErrorBody};
use crate::ports::{CacheKind, HistoryRange};
use crate::service::cursor;
use crate::service::messages::{self, Draft, HistoryPage, MAX_PAGE, Sent, Source};
use colloquy_proto::domain::{ConversationId, Message, MessageId, Seq, UserId};

/// What a history says beside its messages, with two cursors and a little more.
const ABOUT_A_PAGE_BYTES: usize = 256;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A page of a history.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryAnswer {
    /// Whose history.
    #[schema(value_type = i64, example = 7)]
    conversation_id: ConversationId,
    /// Oldest first.
    #[schema(value_type = Vec<Message>)]
    messages: Arc<RawValue>,
    /// Where the page was read: `redis`, `cache` (in this process) or `database`.
    #[schema(example = "redis")]
    source: &'static str,
    /// For the page before; null when this one begins at the beginning.
    next_before: Option<String>,
    /// For the page after; null when this one reaches the end.
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
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many at most; 100 without it"),
        ("before" = Option<String>, Query, description = "A cursor or a message's number: the nearest older messages"),
        ("after" = Option<String>, Query, description = "A cursor or a message's number: the nearest newer messages"),
        ("around" = Option<String>, Query, description = "A cursor or a message's number: it and its neighbours"),
    ),
    responses(
        (status = 200, description = "Oldest first; the newest messages without a parameter", body = HistoryAnswer),
        (status = 400, description = "A parameter breaks a rule", body = BadRequestBody),
    )
)]
pub(super) async fn history(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(id): ConversationPath,
    parameters: Parameters,
) -> ApiResult<Long<HistoryAnswer>> {
    let (page, limit) = (page(&parameters)?, parameters.limit(MAX_PAGE)?);
    let page = messages::history(app.services(), &caller, id, page, limit).await?;
    let HistoryPage {
        messages,
        source,
        next_before,
        next_after,
        as_of_seq,
    } = page;
    let source = match source {
        Source::Cache(CacheKind::Redis) => "redis",
        Source::Cache(CacheKind::InProcess) => "cache",
        Source::Database => "database",
    };
    let about = messages.get().len() + ABOUT_A_PAGE_BYTES;
    let value = HistoryAnswer {
        conversation_id: id,
        messages,
        source,
        next_before,
        next_after,
        as_of_seq,
    };
    Ok(Long { value, about })
}

fn page(parameters: &Parameters) -> ApiResult<HistoryRange> {
    let mut given = ["before", "after", "around"]
        .into_iter()
        .filter_map(|name| Some((name, parameters.get(name)?)));
    let Some((name, text)) = given.next() else {
        return Ok(HistoryRange::Latest);
    };
    if given.next().is_some() {
        return Err(ApiError::field(
            name,
            "Give only one of before, after and around.",
        ));
    }
    let number = cursor::number(text).ok_or_else(|| ApiError::field(name, "Invalid cursor."))?;
    Ok(match name {
        "before" => HistoryRange::Before(number),
        "after" => HistoryRange::After(number),
        _ => HistoryRange::Around(number),
    })
}

/// A message to be sent.
#[derive(Deserialize, ToSchema)]
pub(super) struct SendBody {
    /// 1 to 4,000 characters, not all white space.
    #[schema(required = true, nullable = false, example = "Hello")]
    message: Option<String>,
    /// The sender's own id for it: 1 to 64 printable ASCII characters. A repeat with the same id
    /// answers the first result. The `Idempotency-Key` header says the same.
    client_message_id: Option<String>,
    /// The id of the message it answers.
    #[schema(value_type = Option<i64>)]
    reply_to: Option<MessageId>,
    /// The ids of the people it mentions; at most 50.
    #[schema(value_type = Option<Vec<i64>>)]
    mentions: Option<Vec<UserId>>,
}

/// A message that is stored.
#[derive(Serialize, ToSchema)]
pub(super) struct SentAnswer {
    #[serde(flatten)]
    message: Message,
    /// Whether an earlier request had stored it.
    duplicate: bool,
}

/// Send a message
#[utoipa::path(
    post, path = "/api/chat/conversations/{id}/messages/", tag = "messages", operation_id = "sendMessage",
    security(("bearer" = [])), request_body = SendBody,
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("Idempotency-Key" = Option<String>, Header, description = "Takes the place of client_message_id"),
    ),
    responses(
        (status = 201, description = "It is stored and on its way to every member", body = SentAnswer),
        (status = 200, description = "An earlier request with the same id had stored it", body = SentAnswer),
        (status = 400, description = "A field breaks a rule", body = BadRequestBody),
        (status = 409, description = "The id was used for another message", body = ErrorBody),
        (status = 429, description = "Faster than the throttle allows", body = ErrorBody),
    )
)]
pub(super) async fn send(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(id): ConversationPath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SendBody>,
) -> ApiResult<(StatusCode, Json<SentAnswer>)> {
    let SendBody {
        message,
        client_message_id,
        reply_to,
        mentions,
    } = body;
    let idempotency_key = headers
        .get(IDEMPOTENCY_KEY)
        .map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    let draft = Draft {
        message,
        client_message_id,
        idempotency_key,
        reply_to,
        mentions,
    };
    let Sent { message, duplicate } = messages::send(app.services(), &caller, id, draft).await?;
    let status = if duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(SentAnswer { message, duplicate })))
}
