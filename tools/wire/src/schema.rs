//! Schemas of frames, from the types of proto.
//!
//! utoipa derives a schema for `OpenAPI` 3.1. `AsyncAPI` reads JSON Schema draft 07, in which a `$ref`
//! has no siblings: identifiers and times are written where they are used, with the description of
//! the field, and an enum or struct is referred to by `allOf`.

use anyhow::{Context as _, Result, bail};
use colloquy_proto::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, MessageText, Seq, Timestamp,
    UserId,
};
use indexmap::IndexMap;
use utoipa::PartialSchema;

use crate::json::{Fields, Json, text};

/// Where utoipa keeps named schemas.
const PREFIX: &str = "#/components/schemas/";

/// The schema of a newtype, which is written where it is used. `None` for any other name.
fn newtype(name: &str) -> Option<Result<Json>> {
    Some(match name {
        "ClientMessageId" => schema::<ClientMessageId>(),
        "ConversationId" => schema::<ConversationId>(),
        "Epoch" => schema::<Epoch>(),
        "MessageId" => schema::<MessageId>(),
        "MessageNumber" => schema::<MessageNumber>(),
        "MessageText" => schema::<MessageText>(),
        "Seq" => schema::<Seq>(),
        "Timestamp" => schema::<Timestamp>(),
        "UserId" => schema::<UserId>(),
        _ => return None,
    })
}

/// The schema of a type.
pub(crate) fn schema<T: PartialSchema>() -> Result<Json> {
    adapt(Json::of(&T::schema())?)
}

/// Rewrites utoipa's schema to draft 07.
pub(crate) fn adapt(schema: Json) -> Result<Json> {
    match schema {
        Json::Array(items) => Ok(Json::Array(
            items.into_iter().map(adapt).collect::<Result<_>>()?,
        )),
        Json::Object(fields) => adapt_object(fields),
        other => Ok(other),
    }
}

fn adapt_object(fields: Fields) -> Result<Json> {
    if let Some(reference) = fields.get("$ref").and_then(Json::as_text) {
        let name = reference
            .strip_prefix(PREFIX)
            .context("a foreign reference")?;
        return use_of(name, fields.get("description"));
    }
    if let Some(inner) = fields.get("oneOf").and_then(nullable) {
        return allow_null(adapt(inner.clone())?);
    }
    let mut adapted = Fields::new();
    for (name, value) in fields {
        let value = match value {
            Json::Text(words) if name == "description" => text(prose(&words)),
            other => adapt(other)?,
        };
        adapted.insert(name, value);
    }
    Ok(Json::Object(adapted))
}

/// The use of a named schema in a field with this description.
fn use_of(name: &str, description: Option<&Json>) -> Result<Json> {
    let description = description.and_then(Json::as_text).map(prose);
    let mut fields = match newtype(name) {
        Some(schema) => schema?.into_fields()?,
        None if description.is_none() => return Ok(Json::schema_ref(name)),
        None => {
            let reference = Json::Array(vec![Json::schema_ref(name)]);
            IndexMap::from([("allOf".to_owned(), reference)])
        }
    };
    if let Some(description) = description {
        fields.insert("description".to_owned(), text(description));
    } else {
        fields.shift_remove("description");
    }
    Ok(Json::Object(fields))
}

/// The other alternative of "this or null".
fn nullable(alternatives: &Json) -> Option<&Json> {
    let null = Json::Text("null".to_owned());
    match alternatives.as_array()? {
        [schema, other] if other.get("type") == Some(&null) => Some(schema),
        _ => None,
    }
}

fn allow_null(schema: Json) -> Result<Json> {
    let mut fields = schema.into_fields()?;
    let Some(kind @ Json::Text(_)) = fields.get("type").cloned() else {
        bail!("a nullable schema without a single type: {fields:?}");
    };
    let types = Json::Array(vec![kind, text("null")]);
    fields.insert("type".to_owned(), types);
    Ok(Json::Object(fields))
}

/// A doc comment as plain text: paragraphs in one line each, links as code.
fn prose(comment: &str) -> String {
    let paragraphs = comment
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "));
    let joined = paragraphs.collect::<Vec<_>>().join("\n\n");
    joined.replace("[`", "`").replace("`]", "`")
}

/// The schema of an object, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct ObjectSchema {
    pub(crate) description: String,
    pub(crate) properties: Fields,
    pub(crate) required: Vec<String>,
}

impl ObjectSchema {
    /// The schema of a struct.
    pub(crate) fn of<T: PartialSchema>() -> Result<Self> {
        Self::from_json(schema::<T>()?)
    }

    /// Takes a schema apart. Fails when it has a part that would be lost.
    pub(crate) fn from_json(schema: Json) -> Result<Self> {
        let mut object = Self {
            description: String::new(),
            properties: Fields::new(),
            required: Vec::new(),
        };
        for (name, value) in schema.into_fields()? {
            match (name.as_str(), value) {
                ("type", Json::Text(kind)) if kind == "object" => {}
                ("description", Json::Text(words)) => object.description = words,
                ("properties", Json::Object(fields)) => object.properties = fields,
                ("required", Json::Array(names)) => {
                    let names = names.iter().filter_map(Json::as_text);
                    object.required = names.map(str::to_owned).collect();
                }
                (other, _) => bail!("an object's schema has `{other}`"),
            }
        }
        Ok(object)
    }

    /// Gives a property one value. The type of a frame becomes its first property.
    pub(crate) fn set_constant(&mut self, name: &str, value: Json) {
        let index = match name {
            "type" => 0,
            _ => self.properties.get_index_of(name).unwrap_or_default(),
        };
        let mut schema = Fields::from([("const".to_owned(), value)]);
        let old = self.properties.shift_remove(name);
        let old = old.filter(|_| name != "type");
        if let Some(description) = old.as_ref().and_then(|old| old.get("description")) {
            schema.insert("description".to_owned(), description.clone());
        }
        self.properties
            .shift_insert(index, name.to_owned(), Json::Object(schema));
        self.required.push(name.to_owned());
    }

    /// Keeps these properties alone.
    pub(crate) fn keep(&mut self, names: &[&str]) {
        self.properties
            .retain(|name, _| names.contains(&name.as_str()));
        self.required.retain(|name| names.contains(&name.as_str()));
    }

    /// The schema. Required properties are named in the order of all properties.
    pub(crate) fn into_json(self) -> Json {
        let names = self
            .properties
            .keys()
            .filter(|name| self.required.contains(*name));
        let required = names.map(text).collect();
        crate::json::object([
            ("type", text("object")),
            ("description", text(self.description)),
            ("required", Json::Array(required)),
            ("properties", Json::Object(self.properties)),
        ])
    }
}
