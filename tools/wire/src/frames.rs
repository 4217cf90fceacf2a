//! The frames of the protocol: name, schema and example of each.
//!
//! The schema comes from the type that is serialized, or for a command from the type that the parser
//! returns. To add a frame: its type in proto, an example in `examples.rs`, a row in [`commands`],
//! [`events`] or [`replies`].

use anyhow::{Context as _, Result};
use colloquy_proto::protocol::{
    Ack, AuthExpiring, AuthOk, Command, DeletedEvent, EditedEvent, ErrorReply, Hello,
    MAX_COMMANDS_PER_FRAME, MemberEvent, MessageEvent, PONG, Reset, SendCommand, Sync,
    encode_batch,
};
use serde::Serialize;
use utoipa::PartialSchema;

use crate::examples;
use crate::json::{Json, object, text};
use crate::schema::{ObjectSchema, adapt};

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The name of its schema.
    pub(crate) schema_name: &'static str,
    /// What it is for.
    pub(crate) description: String,
    /// Its schema.
    pub(crate) schema: Json,
    /// A frame as it is sent.
    pub(crate) example: Json,
}

impl Frame {
    /// A frame with this schema. Its type, and what else is named, has always the value of the example.
    fn new(
        schema_name: &'static str,
        schema: ObjectSchema,
        constants: &[&str],
        example: Json,
    ) -> Result<Self> {
        let mut schema = schema;
        for name in constants {
            let value = example.get(name);
            let value = value.with_context(|| format!("the example has no {name}"))?;
            schema.set_constant(name, value.clone());
        }
        Ok(Self {
            schema_name,
            description: schema.description.clone(),
            schema: schema.into_json(),
            example,
        })
    }

    /// The value of `type`; the only v1 frames without one are a send and an error.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.example.get("type").and_then(Json::as_text)
    }
}

/// The frames by version and direction.
pub(crate) struct AllFrames {
    /// From the client, v2.
    pub(crate) commands: Vec<Frame>,
    /// To the client: durable events.
    pub(crate) events: Vec<Frame>,
    /// To the client: events in one frame, and what concerns one connection.
    pub(crate) replies: Vec<Frame>,
    /// From the client, v1. A ping is the same in both versions.
    pub(crate) v1_send: Frame,
    /// To the client: an error as v1 clients receive it.
    pub(crate) v1_error: Frame,
}

impl AllFrames {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            commands: commands()?,
            events: events()?,
            replies: replies()?,
            v1_send: v1_send()?,
            v1_error: v1_error()?,
        })
    }

    /// The frames of v2.
    pub(crate) fn v2(&self) -> impl Iterator<Item = &Frame> {
        let replies = self.replies.iter();
        self.commands.iter().chain(replies).chain(&self.events)
    }

    pub(crate) fn into_all(self) -> impl Iterator<Item = Frame> {
        let v2 = self.commands.into_iter().chain(self.replies);
        let v2 = v2.chain(self.events);
        v2.chain([self.v1_send, self.v1_error])
    }
}

fn commands() -> Result<Vec<Frame>> {
    let (resume, auth) = (examples::resume(), examples::auth());
    Ok(vec![
        frame::<SendCommand>("Send", &["type"], &examples::send()?)?,
        command("Resume", &resume)?,
        command("Auth", &auth)?,
        command("Ping", &Command::Ping)?,
    ])
}

fn v1_send() -> Result<Frame> {
    let mut schema = ObjectSchema::of::<SendCommand>()?;
    schema.keep(&["message"]);
    "A message to store and broadcast, as a v1 client sends it."
        .clone_into(&mut schema.description);
    Frame::new("V1Send", schema, &[], object([("message", text("Hello"))]))
}

/// The schema of several commands in one frame.
pub(crate) fn command_array() -> Json {
    object([
        ("type", text("array")),
        (
            "description",
            text("Several commands in one frame. Each is answered by itself, in order."),
        ),
        ("items", Json::schema_ref("ClientFrame")),
        ("minItems", Json::Number(1.into())),
        ("maxItems", Json::Number(MAX_COMMANDS_PER_FRAME.into())),
    ])
}

fn events() -> Result<Vec<Frame>> {
    Ok(vec![
        frame::<MessageEvent>("MessageEvent", &["type"], &examples::message()?)?,
        frame::<EditedEvent>("EditedEvent", &["type"], &examples::edited())?,
        frame::<DeletedEvent>("DeletedEvent", &["type"], &examples::deleted())?,
        frame::<MemberEvent>("MemberEvent", &["type"], &examples::member())?,
    ])
}

fn replies() -> Result<Vec<Frame>> {
    let error = examples::error(true)?;
    Ok(vec![
        frame::<Hello>("Hello", &["type", "v"], &examples::hello())?,
        frame::<Ack>("Ack", &["type"], &examples::ack()?)?,
        batch()?,
        frame::<Sync>("Sync", &["type", "complete"], &examples::sync())?,
        frame::<Reset>("Reset", &["type"], &examples::reset())?,
        frame::<AuthExpiring>("AuthExpiring", &["type"], &examples::auth_expiring())?,
        frame::<AuthOk>("AuthOk", &["type"], &examples::auth_ok())?,
        frame::<ErrorReply>("ErrorReply", &["type"], &error)?,
        pong()?,
    ])
}

fn v1_error() -> Result<Frame> {
    let mut schema = ObjectSchema::of::<ErrorReply>()?;
    schema.properties.shift_remove("type");
    schema.properties.shift_remove("client_message_id");
    "A message was rejected and not stored. v1 clients know the field `error`, the others were added."
        .clone_into(&mut schema.description);
    Frame::new(
        "V1ErrorReply",
        schema,
        &[],
        Json::of(&examples::error(false)?)?,
    )
}

/// A command whose fields are in the variant of [`Command`].
fn command(schema_name: &'static str, example: &Command) -> Result<Frame> {
    let example = Json::of(example)?;
    let kind = example.get("type").cloned();
    let variants = Json::of(&Command::schema())?;
    let variants = variants.get("oneOf").and_then(Json::as_array);
    let of_kind = |variant: &&Json| {
        let declared = variant.get("properties").and_then(|all| all.get("type"));
        let values = declared.and_then(|declared| declared.get("enum")?.as_array());
        values.and_then(<[Json]>::first) == kind.as_ref()
    };
    let variant = variants.unwrap_or_default().iter().find(of_kind);
    let variant = variant.with_context(|| format!("no variant for {schema_name}"))?;
    let schema = ObjectSchema::from_json(adapt(variant.clone())?)?;
    Frame::new(schema_name, schema, &["type"], example)
}

fn frame<T: PartialSchema>(
    schema_name: &'static str,
    constants: &[&str],
    example: &impl Serialize,
) -> Result<Frame> {
    let example = Json::of(example)?;
    Frame::new(schema_name, ObjectSchema::of::<T>()?, constants, example)
}

/// Events that were committed together, or that a resume delivers. Encoded from their bytes, so there
/// is no type.
fn batch() -> Result<Frame> {
    let events = object([
        ("type", text("array")),
        (
            "description",
            text("Complete events, in the order of `seq`."),
        ),
        ("items", Json::schema_ref("DurableEvent")),
        ("minItems", Json::Number(1.into())),
    ]);
    let schema = ObjectSchema {
        description: "Several events in one frame. Each is handled as if it had been sent alone."
            .to_owned(),
        properties: [("events".to_owned(), events)].into(),
        required: vec!["events".to_owned()],
    };
    let encoded = encode_batch(&[examples::message()?.encode(), examples::edited().encode()]);
    Frame::new("Batch", schema, &["type"], Json::parse(&encoded)?)
}

fn pong() -> Result<Frame> {
    let schema = ObjectSchema {
        description: "The answer to a ping.".to_owned(),
        properties: [].into(),
        required: Vec::new(),
    };
    Frame::new("Pong", schema, &["type"], Json::parse(PONG)?)
}
