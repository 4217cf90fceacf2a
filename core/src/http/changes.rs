//! `…/messages/{message_id}/` and `…/members/`: changes to what is there.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, ConversationPath, JsonBody, WithinConversation};
use super::openapi::{BadRequestBody, ErrorBody};
use crate::service::changes;
use colloquy_proto::domain::{MessageId, MessageText, Seq, UserId};

/// A message's new text.
#[derive(Deserialize, ToSchema)]
pub(super) struct EditBody {
    /// 1 to 4,000 characters, not all white space.
    #[schema(required = true, nullable = false, example = "Hello again")]
    message: Option<String>,
}

/// A message that reads otherwise now.
#[derive(Serialize, ToSchema)]
pub(super) struct EditedAnswer {
    /// Its id.
    #[schema(value_type = i64, example = 123)]
    id: MessageId,
    /// Its text.
    #[schema(example = "Hello again")]
    content: String,
    /// The position of the event that tells so; null when the message had this text already.
    #[schema(value_type = Option<i64>, example = 844)]
    seq: Option<Seq>,
}

/// Edit a message
#[utoipa::path(
    patch, path = "/api/chat/conversations/{id}/messages/{message_id}/", tag = "messages", operation_id = "editMessage",
    security(("bearer" = [])), request_body = EditBody,
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("message_id" = i64, Path, description = "A message the caller wrote"),
    ),
    responses(
        (status = 200, description = "It has this text, and every member is told", body = EditedAnswer),
        (status = 400, description = "The text breaks a rule", body = BadRequestBody),
        (status = 403, description = "Somebody else wrote it, or the caller is not a member", body = ErrorBody),
        (status = 404, description = "There is no such message in the conversation", body = ErrorBody),
        (status = 409, description = "The message was deleted", body = ErrorBody),
        (status = 429, description = "More edits than the throttle allows", body = ErrorBody),
    )
)]
pub(super) async fn edit(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    WithinConversation(id, message_id): WithinConversation,
    JsonBody(body): JsonBody<EditBody>,
) -> ApiResult<Json<EditedAnswer>> {
    let text = body
        .message
        .ok_or_else(|| ApiError::field("message", "This field is required."))?;
    let text = MessageText::new(text)
        .map_err(|problem| ApiError::field("message", problem.to_string()))?;
    let message_id = MessageId(message_id);
    let seq = changes::edit(app.services(), &caller, id, message_id, &text).await?;
    Ok(Json(EditedAnswer {
        id: message_id,
        content: text.as_str().to_owned(),
        seq,
    }))
}

/// Delete a message
#[utoipa::path(
    delete, path = "/api/chat/conversations/{id}/messages/{message_id}/", tag = "messages", operation_id = "deleteMessage",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("message_id" = i64, Path, description = "A message the caller wrote"),
    ),
    responses(
        (status = 204, description = "It has no text any more, and every member is told"),
        (status = 403, description = "Somebody else wrote it, or the caller is not a member", body = ErrorBody),
        (status = 404, description = "There is no such message in the conversation", body = ErrorBody),
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    WithinConversation(id, message_id): WithinConversation,
) -> ApiResult<StatusCode> {
    changes::delete(app.services(), &caller, id, MessageId(message_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who is to be a member.
#[derive(Deserialize, ToSchema)]
pub(super) struct AddBody {
    /// Who.
    #[schema(required = true, nullable = false, value_type = i64, example = 3)]
    user_id: Option<UserId>,
}

/// Somebody who is a member.
#[derive(Serialize, ToSchema)]
pub(super) struct MemberAnswer {
    /// Who.
    #[schema(value_type = i64, example = 3)]
    user_id: UserId,
}

/// Add a member to a group
#[utoipa::path(
    post, path = "/api/chat/conversations/{id}/members/", tag = "conversations", operation_id = "addMember",
    security(("bearer" = [])), request_body = AddBody,
    params(("id" = i64, Path, description = "The conversation")),
    responses(
        (status = 201, description = "They are a member now, and every member is told", body = MemberAnswer),
        (status = 200, description = "They were a member already", body = MemberAnswer),
        (status = 400, description = "There is no such person", body = BadRequestBody),
        (status = 409, description = "The conversation is between two people", body = ErrorBody),
    )
)]
pub(super) async fn add_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(id): ConversationPath,
    JsonBody(body): JsonBody<AddBody>,
) -> ApiResult<(StatusCode, Json<MemberAnswer>)> {
    let user_id = body
        .user_id
        .ok_or_else(|| ApiError::field("user_id", "This field is required."))?;
    let added = changes::add_member(app.services(), &caller, id, user_id).await?;
    let status = if added {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(MemberAnswer { user_id })))
}

/// Leave a group, or remove a member from it
#[utoipa::path(
    delete, path = "/api/chat/conversations/{id}/members/{user_id}/", tag = "conversations", operation_id = "removeMember",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("user_id" = i64, Path, description = "The caller, or, for who made the group, anybody"),
    ),
    responses(
        (status = 204, description = "They are no member any more: their sockets are closed, and every member is told"),
        (status = 403, description = "Somebody else made the group, or the caller is not a member", body = ErrorBody),
        (status = 409, description = "The conversation is between two people", body = ErrorBody),
    )
)]
pub(super) async fn remove_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    WithinConversation(id, user_id): WithinConversation,
) -> ApiResult<StatusCode> {
    changes::remove_member(app.services(), &caller, id, UserId(user_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
