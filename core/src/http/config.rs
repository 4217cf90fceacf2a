//! `/api/config/`: what a client must know of a server before anyone logs in.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::body::MAX_BODY_BYTES;
use crate::config::{RegistrationPolicy, Settings};
use crate::service::conversations::MAX_PARTICIPANTS;
use colloquy_proto::domain::MAX_MENTIONS;
use colloquy_proto::protocol::Limits;

/// How long a client may use the response without asking again.
pub(super) const CACHE_CONTROL: &str = "public, max-age=60";

/// What this version offers beyond the first version of the API. A client shows a function only if
/// its name is in the list. A new function adds its name, in lower case with underscores.
const FEATURES: &[&str] = &[
    "deletions",
    "edits",
    "members",
    "mentions",
    "replies",
    "resume",
];

/// The server's version, and what it offers and allows.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigResponse {
    /// The version of the server (Semantic Versioning).
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// `open` if anyone may register, `closed` if registrations are rejected.
    registration: RegistrationPolicy,
    /// The functions this server has beyond the first version of the API, by name.
    #[schema(example = json!(["edits", "resume"]))]
    features: &'static [&'static str],
    /// The limits of requests and frames.
    limits: ConfigLimits,
}

/// The limits of requests and frames. Those of frames are the same in `hello`.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigLimits {
    /// Maximum characters per message.
    #[schema(example = 4000)]
    message_chars: usize,
    /// Maximum bytes per frame.
    #[schema(example = 65536)]
    frame_bytes: usize,
    /// Maximum commands per frame.
    #[schema(example = 20)]
    frame_commands: usize,
    /// Maximum events per resume.
    #[schema(example = 300)]
    resume_events: usize,
    /// Minimum milliseconds between two sends of a user in a conversation; 0 means unthrottled.
    #[schema(example = 1000)]
    throttle_ms: i64,
    /// Maximum bytes of a request's body.
    #[schema(example = 65536)]
    body_bytes: usize,
    /// Maximum members of a group.
    #[schema(example = 1000)]
    group_members: i64,
    /// Maximum participants named when a conversation is created.
    #[schema(example = 100)]
    new_participants: usize,
    /// Maximum mentions per message.
    #[schema(example = 50)]
    mentions: usize,
}

/// The configuration of a server with these settings, as JSON. It does not change while it runs.
pub(super) fn to_json(settings: &Settings) -> Bytes {
    let Limits {
        message_chars,
        frame_bytes,
        frame_commands,
        resume_events,
        throttle_ms,
    } = Limits::with_throttle(settings.throttle_ms);
    let response = ConfigResponse {
        version: env!("CARGO_PKG_VERSION"),
        registration: settings.registration,
        features: FEATURES,
        limits: ConfigLimits {
            message_chars,
            frame_bytes,
            frame_commands,
            resume_events,
            throttle_ms,
            body_bytes: MAX_BODY_BYTES,
            group_members: settings.members.max_group_members,
            new_participants: MAX_PARTICIPANTS,
            mentions: MAX_MENTIONS,
        },
    };
    // Serializing strings and numbers cannot fail.
    serde_json::to_vec(&response)
        .map(Bytes::from)
        .unwrap_or_default()
}

/// The server's configuration
///
/// What a client must know before anyone logs in. Public; it may be cached for a minute.
#[utoipa::path(
    get, path = "/api/config/", tag = "users", operation_id = "config",
    responses(
        (status = 200, description = "The configuration", body = ConfigResponse),
        (status = 304, description = "The client has it, by `If-None-Match`"),
    )
)]
pub(super) async fn config(State(app): State<App>, headers: HeaderMap) -> Response {
    app.documents().config.respond(&headers)
}
