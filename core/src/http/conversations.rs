//! `/api/chat/conversations/`: the conversations themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Long;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, ConversationPath, JsonBody, Parameters};
use super::openapi::BadRequestBody;
use crate::cache::RenderedSummary;
use crate::service::conversations::{self, Request};
use crate::service::cursor;
use colloquy_proto::domain::{Conversation, ConversationKind, ConversationSummary, UserId};

/// The most conversations a page has.
const MAX_PAGE: i64 = 200;

/// A conversation to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateBody {
    /// The others' ids; the caller's own and repetitions are left out.
    #[schema(required = true, nullable = false, value_type = Vec<i64>, example = json!([2, 3]))]
    participants: Option<Vec<UserId>>,
    /// 1 to 120 characters; a conversation with a name is a group.
    name: Option<String>,
    /// `direct` or `group`; told from the rest without it.
    #[schema(value_type = Option<ConversationKind>)]
    kind: Option<String>,
}

/// List the caller's conversations
#[utoipa::path(
    get, path = "/api/chat/conversations/", tag = "conversations", operation_id = "listConversations",
    security(("bearer" = [])),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "How many at most; 200 without it"),
        ("cursor" = Option<String>, Query, description = "Where to go on, as the Link header says"),
    ),
    responses(
        (status = 200, description = "Latest activity first", body = Vec<ConversationSummary>,
            headers(("Link" = String, description = "The next page, with rel=\"next\", when there is one"))),
        (status = 400, description = "A parameter breaks a rule", body = BadRequestBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    parameters: Parameters,
) -> ApiResult<(HeaderMap, Long<Vec<Arc<RenderedSummary>>>)> {
    let limit = parameters.limit(MAX_PAGE)?;
    let after = parameters
        .get("cursor")
        .map(|cursor| {
            cursor::activity(cursor).ok_or_else(|| ApiError::field("cursor", "Invalid cursor."))
        })
        .transpose()?;
    let (page, more) = conversations::list(app.services(), &caller, after, limit).await?;
    let mut headers = HeaderMap::new();
    if let Some(last) = page.last().filter(|_| more) {
        let cursor = cursor::of_activity(last.active_at, last.id);
        let link =
            format!("</api/chat/conversations/?limit={limit}&cursor={cursor}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            headers.insert(LINK, link);
        }
    }
    // Brackets, and a comma each.
    let about = page.iter().map(|shown| shown.bytes() + 1).sum::<usize>() + 2;
    Ok((headers, Long { value: page, about }))
}

/// Make a conversation
#[utoipa::path(
    post, path = "/api/chat/conversations/", tag = "conversations", operation_id = "createConversation",
    security(("bearer" = [])), request_body = CreateBody,
    responses(
        (status = 201, description = "The new conversation", body = Conversation),
        (status = 200, description = "The conversation the pair had already", body = Conversation),
        (status = 400, description = "A field breaks a rule, or participants are unknown", body = BadRequestBody),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<CreateBody>,
) -> ApiResult<(StatusCode, Json<Conversation>)> {
    let kind = body.kind.as_deref().map(kind).transpose()?;
    let request = Request {
        participants: body.participants,
        name: body.name,
        kind,
    };
    let (conversation, created) = conversations::create(app.services(), &caller, request).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(conversation)))
}

fn kind(text: &str) -> ApiResult<ConversationKind> {
    match text {
        "direct" => Ok(ConversationKind::Direct),
        "group" => Ok(ConversationKind::Group),
        _ => Err(ApiError::field("kind", "Give \"direct\" or \"group\".")),
    }
}

/// One conversation with its newest messages
#[utoipa::path(
    get, path = "/api/chat/conversations/{id}/", tag = "conversations", operation_id = "readConversation",
    security(("bearer" = [])),
    params(("id" = i64, Path, description = "The conversation")),
    responses((status = 200, description = "The conversation with its 100 newest messages", body = Conversation))
)]
pub(super) async fn read(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(id): ConversationPath,
) -> ApiResult<Json<Conversation>> {
    Ok(Json(
        conversations::read(app.services(), &caller, id).await?,
    ))
}
