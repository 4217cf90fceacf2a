//! `/api/chat/conversations/{id}/members/`: the members of a conversation.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{
    Authenticated, ConversationItemPath, ConversationPath, JsonBody, QueryParams,
};
use super::link;
use super::openapi::{BadRequestBody, ErrorBody};
use crate::service::{cursor, members};
use colloquy_proto::domain::{Member, UserId};

/// The most members of a page.
const MAX_PAGE: i64 = 100;

/// A user to add.
#[derive(Deserialize, ToSchema)]
pub(super) struct AddMemberRequest {
    /// The user.
    #[schema(required = true, nullable = false, value_type = i64, example = 3)]
    user_id: Option<UserId>,
}

/// A member.
#[derive(Serialize, ToSchema)]
pub(super) struct MemberResponse {
    /// The user.
    #[schema(value_type = i64, example = 3)]
    user_id: UserId,
}

/// List the members of a conversation
#[utoipa::path(
    get, path = "/api/chat/conversations/{id}/members/", tag = "conversations", operation_id = "listMembers",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "The most members returned; 100 by default"),
        ("cursor" = Option<String>, Query, description = "The cursor of the next page, from the Link header"),
    ),
    responses(
        (status = 200, description = "By id", body = Vec<Member>,
            headers(("Link" = String, description = "The next page, with rel=\"next\", when there is one"))),
        (status = 400, description = "A parameter is invalid", body = BadRequestBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(conversation_id): ConversationPath,
    params: QueryParams,
) -> ApiResult<(HeaderMap, Json<Vec<Member>>)> {
    let limit = params.limit(MAX_PAGE)?;
    let after = params.get("cursor").map_or(Some(UserId(0)), cursor::member);
    let after = after.ok_or_else(|| ApiError::field("cursor", "Invalid cursor."))?;
    let services = app.services();
    let (members, more) = members::list(services, &caller, conversation_id, after, limit).await?;
    let headers = match members.last().filter(|_| more) {
        Some(last) => {
            let cursor = cursor::of_member(last.id);
            link::to_next_page(&format!("limit={limit}&cursor={cursor}"))
        }
        None => HeaderMap::new(),
    };
    Ok((headers, Json(members)))
}

/// Add a member to a group
#[utoipa::path(
    post, path = "/api/chat/conversations/{id}/members/", tag = "conversations", operation_id = "addMember",
    security(("bearer" = [])), request_body = AddMemberRequest,
    params(("id" = i64, Path, description = "The conversation")),
    responses(
        (status = 201, description = "The user is now a member; every member receives an event", body = MemberResponse),
        (status = 200, description = "The user already was a member", body = MemberResponse),
        (status = 400, description = "There is no such user", body = BadRequestBody),
        (status = 409, description = "The conversation is direct, or the group is full", body = ErrorBody),
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationPath(conversation_id): ConversationPath,
    JsonBody(body): JsonBody<AddMemberRequest>,
) -> ApiResult<(StatusCode, Json<MemberResponse>)> {
    let user_id = body
        .user_id
        .ok_or_else(|| ApiError::field("user_id", "This field is required."))?;
    let added = members::add(app.services(), &caller, conversation_id, user_id).await?;
    let status = if added {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(MemberResponse { user_id })))
}

/// Leave a group, or remove a member from it
#[utoipa::path(
    delete, path = "/api/chat/conversations/{id}/members/{user_id}/", tag = "conversations", operation_id = "removeMember",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("user_id" = i64, Path, description = "The caller, or any member if the caller created the group"),
    ),
    responses(
        (status = 204, description = "The user is no member any more: the user's sockets are closed, and every member receives an event"),
        (status = 403, description = "The caller did not create the group, or is not a member", body = ErrorBody),
        (status = 409, description = "The conversation is direct", body = ErrorBody),
    )
)]
pub(super) async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ConversationItemPath(conversation_id, user_id): ConversationItemPath,
) -> ApiResult<StatusCode> {
    members::remove(app.services(), &caller, conversation_id, UserId(user_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
