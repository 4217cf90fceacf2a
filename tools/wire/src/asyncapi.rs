//! The `AsyncAPI` 3.0 document of the sockets.
//!
//! `outline.json` has what no type knows: the prose, the path and how a token is handed over. Messages,
//! operations, schemas and codes are filled in here. The document is written from the server's point of
//! view, as `AsyncAPI` asks for: it *receives* commands and *sends* events. The two versions of the
//! protocol are two channels with one address. What `AsyncAPI` has no field for is in the extensions
//! `x-close-codes`, `x-error-codes`, `x-limits` and `x-subprotocol`.

use anyhow::{Context as _, Result};
use colloquy_proto::protocol::{ErrorCode, Limits, MemberChange, ResetReason, SUBPROTOCOL};

use crate::codes;
use crate::frames::{AllFrames, Frame};
use crate::json::{Fields, Json, object, text};
use crate::schema::schema;

const OUTLINE: &str = include_str!("outline.json");

/// The channel of each version.
const V2: &str = "v2";
const V1: &str = "v1";

/// A message of the document.
struct Message {
    /// Its key and name.
    key: String,
    summary: String,
    payload: Json,
    example: Json,
}

impl Message {
    /// The message of a frame. Its key is the `type`, or for a v1 frame without one this.
    fn of(frame: &Frame, key_without_type: &str) -> Self {
        Self {
            key: frame.kind().unwrap_or(key_without_type).to_owned(),
            summary: frame.description.clone(),
            payload: Json::schema_ref(frame.schema_name),
            example: frame.example.clone(),
        }
    }

    fn to_json(&self) -> Json {
        let example = object([("payload", self.example.clone())]);
        object([
            ("name", text(&self.key)),
            ("summary", text(&self.summary)),
            ("payload", self.payload.clone()),
            ("examples", Json::Array(vec![example])),
        ])
    }
}

/// The document.
pub(crate) fn document() -> Result<Json> {
    let frames = AllFrames::new()?;
    let (v2, v1) = (v2_messages(&frames), v1_messages(&frames));
    let keys = |messages: &[Message]| -> Vec<String> {
        messages.iter().map(|message| message.key.clone()).collect()
    };
    let shared = ["ping", "message", "pong"].map(str::to_owned);
    let (v2_keys, v1_keys) = (keys(&v2), [keys(&v1), shared.to_vec()].concat());
    let messages = v2.iter().chain(&v1);
    let messages = messages.map(|message| (message.key.clone(), message.to_json()));
    let messages = Json::Object(messages.collect());
    let operations = operations(&frames);

    let mut document = Json::parse(OUTLINE)?;
    for (path, value) in [
        ("info/version", text(env!("CARGO_PKG_VERSION"))),
        ("channels/v2/messages", to_components(&v2_keys)),
        ("channels/v2/x-subprotocol", text(SUBPROTOCOL)),
        ("channels/v1/messages", to_components(&v1_keys)),
        ("operations", operations),
        ("components/schemas", Json::Object(schemas(frames)?)),
        ("components/messages", messages),
        ("x-close-codes", codes::close_codes()),
        ("x-error-codes", codes::error_codes()),
        ("x-limits", codes::limits()),
    ] {
        let place = document.at_mut(path);
        *place.with_context(|| format!("the outline has no {path}"))? = value;
    }
    Ok(document)
}

/// The messages of the v2 channel.
fn v2_messages(frames: &AllFrames) -> Vec<Message> {
    let commands = frames.commands.iter().map(|frame| frame.example.clone());
    let array = Message {
        key: "commands".to_owned(),
        summary: "Several commands in one frame. Each is answered by itself, in order.".to_owned(),
        payload: Json::schema_ref("ClientFrameArray"),
        example: Json::Array(commands.collect()),
    };
    let messages = frames.v2().map(|frame| Message::of(frame, ""));
    messages.chain([array]).collect()
}

/// The messages of the v1 channel that v2 does not have.
fn v1_messages(frames: &AllFrames) -> Vec<Message> {
    vec![
        Message::of(&frames.v1_send, "v1.send"),
        Message::of(&frames.v1_error, "v1.error"),
    ]
}

/// Each command with its answers, and what the server sends unasked.
fn operations(frames: &AllFrames) -> Json {
    let events: Vec<&str> = frames.events.iter().filter_map(Frame::kind).collect();
    let delivered = [events.as_slice(), &["batch"]].concat();
    let resumed = [delivered.as_slice(), &["sync", "reset", "error"]].concat();
    let receive = |channel, title, message, answers: &[&str]| {
        operation("receive", (channel, title), &[message], answers)
    };
    let send =
        |channel, title, messages: &[&str]| operation("send", (channel, title), messages, &[]);
    object([
        (
            "send",
            receive(V2, "Send a message", "send", &["ack", "error"]),
        ),
        (
            "resume",
            receive(V2, "Catch up after a reconnect", "resume", &resumed),
        ),
        (
            "auth",
            receive(V2, "Renew the token", "auth", &["auth.ok", "error"]),
        ),
        (
            "ping",
            receive(V2, "Keep the socket alive", "ping", &["pong"]),
        ),
        (
            "commands",
            receive(V2, "Send several commands in one frame", "commands", &[]),
        ),
        ("events", send(V2, "Deliver durable events", &delivered)),
        (
            "session",
            send(V2, "Describe the connection", &["hello", "auth.expiring"]),
        ),
        (
            "sendV1",
            receive(
                V1,
                "Send a message (v1)",
                "v1.send",
                &["message", "v1.error"],
            ),
        ),
        (
            "pingV1",
            receive(V1, "Keep the socket alive (v1)", "ping", &["pong"]),
        ),
        ("eventsV1", send(V1, "Deliver messages (v1)", &["message"])),
    ])
}

fn operation(action: &str, of: (&str, &str), messages: &[&str], answers: &[&str]) -> Json {
    let (channel, title) = of;
    let mut operation = Fields::from([
        ("action".to_owned(), text(action)),
        ("channel".to_owned(), reference(&["channels", channel])),
        ("title".to_owned(), text(title)),
        ("messages".to_owned(), of_channel(channel, messages)),
    ]);
    if !answers.is_empty() {
        let reply = object([
            ("channel", reference(&["channels", channel])),
            ("messages", of_channel(channel, answers)),
        ]);
        operation.insert("reply".to_owned(), reply);
    }
    Json::Object(operation)
}

/// References to messages of a channel.
fn of_channel(channel: &str, messages: &[&str]) -> Json {
    let references = messages
        .iter()
        .map(|key| reference(&["channels", channel, "messages", key]));
    Json::Array(references.collect())
}

/// References to messages of the components, by their keys.
fn to_components(keys: &[String]) -> Json {
    let references = keys
        .iter()
        .map(|key| (key.clone(), reference(&["components", "messages", key])));
    Json::Object(references.collect())
}

fn reference(path: &[&str]) -> Json {
    object([("$ref", text(format!("#/{}", path.join("/"))))])
}

/// Every named schema: the unions first, then the frames, then what they share.
fn schemas(frames: AllFrames) -> Result<Fields> {
    let mut schemas = Fields::new();
    for (name, description, members) in unions(&frames) {
        schemas.insert(name.to_owned(), union(description, &members));
    }
    schemas.insert(
        "ClientFrameArray".to_owned(),
        crate::frames::command_array(),
    );
    for frame in frames.into_all() {
        schemas.insert(frame.schema_name.to_owned(), frame.schema);
    }
    schemas.insert("Limits".to_owned(), schema::<Limits>()?);
    schemas.insert("MemberChange".to_owned(), schema::<MemberChange>()?);
    schemas.insert("ResetReason".to_owned(), schema::<ResetReason>()?);
    schemas.insert("ErrorCode".to_owned(), schema::<ErrorCode>()?);
    Ok(schemas)
}

/// The unions: name, description, members.
fn unions(frames: &AllFrames) -> [(&'static str, &'static str, Vec<&'static str>); 5] {
    let names = |frames: &[Frame]| -> Vec<&'static str> {
        frames.iter().map(|frame| frame.schema_name).collect()
    };
    let (commands, events) = (names(&frames.commands), names(&frames.events));
    let to_client = [names(&frames.replies), events.clone()].concat();
    let event = "A durable event. It has a `seq`, and is the same frame for every member.";
    let to_v1_client = vec!["MessageEvent", "V1ErrorReply", "Pong"];
    [
        ("ClientFrame", "A command of a v2 client.", commands),
        (
            "ServerFrame",
            "A frame that a v2 client receives.",
            to_client,
        ),
        ("DurableEvent", event, events),
        (
            "V1ClientFrame",
            "A frame of a v1 client.",
            vec!["V1Send", "Ping"],
        ),
        (
            "V1ServerFrame",
            "A frame that a v1 client receives.",
            to_v1_client,
        ),
    ]
}

fn union(description: &str, members: &[&str]) -> Json {
    let members = members.iter().map(|name| Json::schema_ref(name));
    object([
        ("description", text(description)),
        ("oneOf", Json::Array(members.collect())),
    ])
}
