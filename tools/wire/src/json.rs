//! JSON whose objects keep the order of their fields.
//!
//! `serde_json` sorts the fields of a `Value`. A person who reads a document expects those of a frame
//! in the order in which they are declared.

use anyhow::{Context as _, Result, bail};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The fields of an object.
pub(crate) type Fields = IndexMap<String, Json>;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Fields),
}

impl Json {
    /// The value that `value` is serialized to.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self> {
        Self::parse(&serde_json::to_string(value)?)
    }

    /// Parses a text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))
    }

    /// A reference to a schema of the document.
    pub(crate) fn schema_ref(name: &str) -> Self {
        object([("$ref", text(format!("#/components/schemas/{name}")))])
    }

    /// The fields of an object.
    pub(crate) fn into_fields(self) -> Result<Fields> {
        match self {
            Self::Object(fields) => Ok(fields),
            other => bail!("not an object: {other:?}"),
        }
    }

    /// A field of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The value at a path of field names, separated by slashes.
    pub(crate) fn at_mut(&mut self, path: &str) -> Option<&mut Self> {
        path.split('/').try_fold(self, |value, name| match value {
            Self::Object(fields) => fields.get_mut(name),
            _ => None,
        })
    }

    /// The text of a string.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array.
    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

/// A string.
pub(crate) fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

/// An object with these fields, in this order.
pub(crate) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Json::Object(fields.into_iter().collect())
}
