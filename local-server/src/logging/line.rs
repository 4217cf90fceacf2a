//! The format of a line: `[LEVEL] TIMESTAMP MODULE FUNCTION - MESSAGE - field: value, field: value`,
//! or one JSON object.
//!
//! Owns escaping. INVARIANT: one event is one line, and no value can imitate another field: control
//! characters are escaped, and a value with white space or punctuation of the format is quoted.

use std::fmt::{self, Write as _};

use colloquy_core::config::LogFormat;
use colloquy_proto::domain::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

/// The limit of a message or value in bytes; longer ones are truncated.
const MAX_VALUE_BYTES: usize = 4_096;

/// Suffixes of field names whose values are redacted.
const SECRET_NAMES: [&str; 5] = ["token", "password", "secret", "secret_key", "authorization"];

/// The message and fields of one event or span, in order.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) values: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Without values, with capacity for the declared fields.
    pub(super) fn new(metadata: &Metadata<'_>) -> Self {
        Self {
            message: String::new(),
            values: Vec::with_capacity(metadata.fields().len()),
        }
    }

    /// Sets a field; the last value wins.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        let value = if SECRET_NAMES.iter().any(|secret| name.ends_with(secret)) {
            "…".into()
        } else {
            value
        };
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name, value)),
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        let text = truncated(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.set(field.name(), Value::String(text));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }
}

/// The parts of a line.
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    /// The innermost span's name.
    pub(super) function: Option<&'a str>,
    /// The event's own fields and those of its spans.
    pub(super) fields: Fields,
}

impl Line<'_> {
    /// The line without its line break.
    pub(super) fn render(self, format: LogFormat) -> String {
        match format {
            LogFormat::Text => self.text(),
            LogFormat::Json => self.json(),
        }
    }

    fn text(self) -> String {
        let Self {
            at,
            level,
            target,
            function,
            fields,
        } = self;
        let mut line = String::with_capacity(192);
        let function = function.unwrap_or("-");
        // Writing to a String cannot fail.
        let _ = write!(line, "[{level}] {at} {target} {function} - ");
        escape(&mut line, &fields.message);
        for (index, (name, value)) in fields.values.iter().enumerate() {
            let _ = write!(line, "{}{name}: ", if index == 0 { " - " } else { ", " });
            match value {
                Value::String(text) => value_text(&mut line, text),
                other => drop(write!(line, "{other}")),
            }
        }
        line
    }

    fn json(self) -> String {
        let mut object = Map::new();
        for (name, value) in self.fields.values {
            object.insert(name.to_owned(), value);
        }
        // Last, so that no field can replace one of these.
        object.insert("level".to_owned(), self.level.as_str().into());
        object.insert("timestamp".to_owned(), self.at.to_string().into());
        object.insert("module".to_owned(), self.target.into());
        object.insert("function".to_owned(), self.function.unwrap_or("-").into());
        object.insert("message".to_owned(), self.fields.message.into());
        Value::Object(object).to_string()
    }
}

fn truncated(text: &str) -> String {
    if text.len() <= MAX_VALUE_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_VALUE_BYTES);
    format!("{}…", &text[..end])
}

fn value_text(line: &mut String, text: &str) {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"',".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        line.push_str(text);
    } else {
        line.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                line.push('\\');
            }
            escape_char(line, c);
        }
        line.push('"');
    }
}

fn escape(line: &mut String, text: &str) {
    text.chars().for_each(|c| escape_char(line, c));
}

/// Escapes control characters and other characters that change the display: U+2028 and U+2029 end
/// lines in some viewers, and bidirectional marks reorder text.
fn escape_char(line: &mut String, c: char) {
    let invisible =
        matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    if c.is_control() || invisible {
        line.extend(c.escape_default());
    } else {
        line.push(c);
    }
}
