//! `/api/chat/conversations/`: listing, creating and reading conversations.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, ConversationPath, JsonBody, QueryParams};
use super::link;
use super::openapi::BadRequestBody;
use super::sized_json::JsonText;
use crate::service::conversations::{self, CreateInput};
use crate::service::cursor;
use colloquy_proto::domain::{Conversation, ConversationKind, ConversationSummary, UserId};

/// The most conversations of a page.
const MAX_PAGE: i64 = 200;

/// A new conversation.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateRequest {
    /// The ids of the other participants, at most 100; the caller's own and duplicates are ignored.
    #[schema(required = true, nullable = false, value_type = Vec<i64>, example = json!([2, 3]))]
    participants: Option<Vec<UserId>>,
    /// 1 to 120 characters; a conversation with a name is a group.
    name: Option<String>,
    /// `direct` or `group`; derived from the other fields when absent.
    #[schema(value_type = Option<ConversationKind>)]
    kind: Option<String>,
}

/// List the caller's conversations
#[utoipa::path(
    get, path = "/api/chat/conversations/", tag = "conversations", operation_id = "listConversations",
    security(("bearer" = [])),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "The most conversations returned; 200 by default, and fewer when they exceed 512 KiB"),
        ("cursor" = Option<String>, Query, description = "The cursor of the next page, from the Link header"),
    ),
    responses(
        (status = 200, description = "Latest activity first", body = Vec<ConversationSummary>,
            headers(("Link" = String, description = "The next page, with rel=\"next\", when there is one"))),
        (status = 400, description = "A parameter is invalid", body = BadRequestBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    params: QueryParams,
) -> ApiResult<(HeaderMap, JsonText)> {
    let limit = params.limit(MAX_PAGE)?;
    let after = params
        .get("cursor")
        .map(|cursor| {
            cursor::list_position(cursor)
                .ok_or_else(|| ApiError::field("cursor", "Invalid cursor."))
        })
        .transpose()?;
    let page = conversations::list(app.services(), &caller, after, limit).await?;
    let headers = match page.next {
        Some((position, id)) => {
            let cursor = cursor::of_list_position(position, id);
            link::to_next_page(&format!("limit={limit}&cursor={cursor}"))
        }
        None => HeaderMap::new(),
    };
    Ok((headers, JsonText(page.conversations)))
}

/// Create a conversation
#[utoipa::path(
    post, path = "/api/chat/conversations/", tag = "conversations", operation_id = "createConversation",
    security(("bearer" = [])), request_body = CreateRequest,
    responses(
        (status = 201, description = "The new conversation", body = Conversation),
        (status = 200, description = "The existing direct conversation of the two users", body = Conversation),
        (status = 400, description = "A field is invalid, or participants are unknown", body = BadRequestBody),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<CreateRequest>,
) -> ApiResult<(StatusCode, Json<Conversation>)> {
    let kind = body.kind.as_deref().map(kind).transpose()?;
    let input = CreateInput {
        participants: body.participants,
        name: body.name,
        kind,
    };
    let (conversation, created) = conversations::create(app.services(), &caller, input).await?;
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
        _ => Err(ApiError::field("kind", "Must be \"direct\" or \"group\".")),
    }
}

/// One conversation with its newest messages
#[utoipa::path(
    get, path = "/api/chat/conversations/{id}/", tag = "conversations", operation_id = "readConversation",
    security(("bearer" = [])),
    params(("id" = i64, Path, description = "The conversation")),
    responses((status = 200, description = "The conversation with its 100 newest messages, fewer when they exceed 512 KiB, and its first 100 members", body = Conversation))
)]
pub(super) async fn read(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(conversation_id): ConversationPath,
) -> ApiResult<Json<Conversation>> {
    Ok(Json(
        conversations::read(app.services(), &caller, conversation_id).await?,
    ))
}
