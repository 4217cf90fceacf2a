//! The JSON encoding of commands and outcomes.
//!
//! A command is an array of strings, a pipeline an array of commands; an outcome is
//! `{"result": …}` or `{"error": "ERR …"}`, the response to a pipeline an array of outcomes. With
//! [`Encoding::Base64`] every string of a result is base64, at any depth, except the whole result
//! `OK`; errors stay plain.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{CodecError, Command, CommandError, Outcome, Reply};

/// The encoding of strings in a response, chosen by the request header `Upstash-Encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// JSON strings; bytes that are not UTF-8 become U+FFFD.
    #[default]
    Plain,
    /// Base64 with padding (RFC 4648 §4), except the whole result `OK`.
    Base64,
}

/// The one string that stays plain. It is not valid base64, since two characters need padding.
const OK: &str = "OK";

/// Encodes the body of `POST /pipeline` and of `POST /multi-exec`.
pub fn encode_commands(commands: &[Command]) -> Result<Vec<u8>, CodecError> {
    Ok(serde_json::to_vec(commands)?)
}

/// Decodes the body of `POST /`: one command.
pub fn decode_command(body: &[u8]) -> Result<Command, CodecError> {
    Ok(serde_json::from_slice(body)?)
}

/// Decodes the body of `POST /pipeline` and of `POST /multi-exec`.
pub fn decode_commands(body: &[u8]) -> Result<Vec<Command>, CodecError> {
    Ok(serde_json::from_slice(body)?)
}

/// Encodes the response to one command.
pub fn encode_outcome(outcome: &Outcome, encoding: Encoding) -> Result<Vec<u8>, CodecError> {
    Ok(serde_json::to_vec(&WireOutcome { outcome, encoding })?)
}

/// Encodes the response to a pipeline or a transaction.
pub fn encode_outcomes(outcomes: &[Outcome], encoding: Encoding) -> Result<Vec<u8>, CodecError> {
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|outcome| WireOutcome { outcome, encoding })
        .collect();
    Ok(serde_json::to_vec(&outcomes)?)
}

/// Decodes the response to a pipeline.
pub fn decode_outcomes(body: &[u8], encoding: Encoding) -> Result<Vec<Outcome>, CodecError> {
    let outcomes: Vec<DecodedOutcome> = serde_json::from_slice(body)?;
    outcomes
        .into_iter()
        .map(|DecodedOutcome(outcome)| match (outcome, encoding) {
            (Ok(reply), Encoding::Base64) => Ok(Ok(decode_base64(reply)?)),
            (outcome, _) => Ok(outcome),
        })
        .collect()
}

/// Encodes the body of an error for the whole request.
pub fn encode_error(text: &str) -> Result<Vec<u8>, CodecError> {
    encode_outcome(&Err(CommandError::new(text)), Encoding::Plain)
}

/// Decodes the body of an error for the whole request; `None` when it is something else.
pub fn decode_error(body: &[u8]) -> Option<CommandError> {
    let DecodedOutcome(outcome) = serde_json::from_slice(body).ok()?;
    outcome.err()
}

fn decode_base64(reply: Reply) -> Result<Reply, CodecError> {
    match reply {
        Reply::Text(text) if text == OK => Ok(Reply::Text(text)),
        Reply::Text(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| CodecError::Base64)?;
            Ok(Reply::from_bytes(bytes))
        }
        Reply::Array(elements) => {
            let elements: Result<_, _> = elements.into_iter().map(decode_base64).collect();
            Ok(Reply::Array(elements?))
        }
        other => Ok(other),
    }
}

struct WireOutcome<'a> {
    outcome: &'a Outcome,
    encoding: Encoding,
}

impl Serialize for WireOutcome<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.outcome {
            Ok(reply) => {
                let encoding = self.encoding;
                let nested = false;
                map.serialize_entry(
                    "result",
                    &WireReply {
                        reply,
                        encoding,
                        nested,
                    },
                )?;
            }
            Err(error) => map.serialize_entry("error", error.text())?,
        }
        map.end()
    }
}

struct WireReply<'a> {
    reply: &'a Reply,
    encoding: Encoding,
    /// Inside an array `OK` is encoded like any string: `@upstash/redis` leaves only a whole result of
    /// `OK` undecoded, and would decode a nested one to the byte 0x38.
    nested: bool,
}

impl Serialize for WireReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let encoding = self.encoding;
        match self.reply {
            Reply::Nil => serializer.serialize_unit(),
            Reply::Integer(integer) => serializer.serialize_i64(*integer),
            Reply::Text(text) if encoding == Encoding::Plain || (!self.nested && text == OK) => {
                serializer.serialize_str(text)
            }
            Reply::Text(text) => serializer.serialize_str(&STANDARD.encode(text)),
            Reply::Bytes(bytes) if encoding == Encoding::Plain => {
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            Reply::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Reply::Array(elements) => {
                serializer.collect_seq(elements.iter().map(|reply| WireReply {
                    reply,
                    encoding,
                    nested: true,
                }))
            }
            Reply::Error(error) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("error", error.text())?;
                map.end()
            }
        }
    }
}

struct DecodedOutcome(Outcome);

impl<'de> Deserialize<'de> for DecodedOutcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutcomeVisitor).map(Self)
    }
}

struct OutcomeVisitor;

impl<'de> Visitor<'de> for OutcomeVisitor {
    type Value = Outcome;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `result` or `error`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
        let (mut result, mut error) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "result" => result = Some(map.next_value::<Reply>()?),
                "error" => error = map.next_value::<Option<String>>()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (result, error) {
            (_, Some(text)) => Ok(Err(CommandError::new(text))),
            (Some(reply), None) => Ok(Ok(reply)),
            (None, None) => Err(A::Error::custom("neither `result` nor `error`")),
        }
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReplyVisitor)
    }
}

struct ReplyVisitor;

impl<'de> Visitor<'de> for ReplyVisitor {
    type Value = Reply;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("null, a number, a string, an array or an error")
    }

    fn visit_unit<E>(self) -> Result<Reply, E> {
        Ok(Reply::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Reply, E> {
        Ok(Reply::Integer(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Reply, E> {
        Ok(Reply::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Reply, E> {
        Ok(i64::try_from(value).map_or_else(|_| Reply::Text(value.to_string()), Reply::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Reply, E> {
        Ok(Reply::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Reply, E> {
        Ok(Reply::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Reply, E> {
        Ok(Reply::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Reply, A::Error> {
        let mut replies = Vec::new();
        while let Some(reply) = elements.next_element()? {
            replies.push(reply);
        }
        Ok(Reply::Array(replies))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reply, A::Error> {
        match OutcomeVisitor.visit_map(map)? {
            Ok(_) => Err(A::Error::custom("an object inside a result is an error")),
            Err(error) => Ok(Reply::Error(error)),
        }
    }
}
