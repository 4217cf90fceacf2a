//! The documents are current, complete, and agree with what proto sends and accepts.

use std::collections::BTreeSet;

use colloquy_proto::protocol::{Command, ParsedFrame, parse};
use jsonschema::Validator;
use serde_json::{Value, json};
use utoipa::PartialSchema as _;

use crate::frames::AllFrames;
use crate::json::Json;
use crate::{asyncapi, documents};

/// Frames from clients, valid and invalid.
const CORPUS: &str = include_str!("../../../proto/tests/untrusted_input/corpus/frames.txt");

fn document() -> Value {
    let text = serde_json::to_string(&asyncapi::document().unwrap()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Forbids properties that a schema does not name.
fn close_objects(value: &mut Value) {
    if value["properties"].is_object() && value["type"] == "object" {
        value["additionalProperties"] = json!(false);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(close_objects),
        Value::Array(items) => items.iter_mut().for_each(close_objects),
        _ => {}
    }
}

/// The check of a schema of the document.
fn validator(document: &Value, reference: &str) -> Validator {
    let mut schema = document.clone();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["allOf"] = json!([{ "$ref": reference }]);
    jsonschema::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(&schema)
        .unwrap()
}

#[test]
fn files_are_current() {
    for document in documents().unwrap() {
        assert!(
            document.is_current(),
            "web/wire/{} is outdated: run `cargo xtask wire`",
            document.file
        );
    }
}

#[test]
fn example_of_every_message_matches_its_schema_without_further_fields() {
    let mut document = document();
    close_objects(&mut document["components"]["schemas"]);
    for (key, message) in document["components"]["messages"].as_object().unwrap() {
        let validator = validator(&document, message["payload"]["$ref"].as_str().unwrap());
        for example in message["examples"].as_array().unwrap() {
            if let Err(error) = validator.validate(&example["payload"]) {
                panic!("{key}: {error}: {example}");
            }
        }
    }
}

#[test]
fn every_schema_and_field_has_a_description() {
    let described = |value: &Value| {
        value["description"]
            .as_str()
            .is_some_and(|text| text.len() > 5)
    };
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(described(schema), "{name}");
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (field, property) in properties.filter(|(field, _)| *field != "type") {
            assert!(described(property), "{name}.{field}");
        }
    }
    for list in ["x-close-codes", "x-error-codes", "x-limits"] {
        let rows = document[list].as_array().unwrap();
        assert!(rows.len() > 5 && rows.iter().all(described), "{list}");
    }
}

#[test]
fn references_resolve() {
    fn check(value: &Value, document: &Value) {
        if let Some(reference) = value["$ref"].as_str() {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| check(field, document)),
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            _ => {}
        }
    }
    let document = document();
    check(&document, &document);
}

#[test]
fn every_command_is_described() {
    let schema = Json::of(&Command::schema()).unwrap();
    let variants = schema.get("oneOf").and_then(Json::as_array).unwrap();
    assert_eq!(AllFrames::new().unwrap().commands.len(), variants.len());
}

/// Parts of frames on which parser and schema disagree, with the reason.
const DIFFERENCES: [(&str, &str); 2] = [
    (r#""since":-1"#, "rejected by the Room, not by the parser"),
    (
        r#""type":"send","type""#,
        "a JSON value has no repeated field",
    ),
];

#[test]
fn parser_accepts_what_the_schemas_of_commands_allow() {
    let document = document();
    let schema = |name: &str| validator(&document, &format!("#/components/schemas/{name}"));
    let (command, array) = (schema("ClientFrame"), schema("ClientFrameArray"));
    let v1 = schema("V1Send");
    let mut outcomes = BTreeSet::new();
    for text in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let allowed = match &frame {
            Value::Array(_) => array.is_valid(&frame),
            _ if frame["type"].is_null() => v1.is_valid(&frame),
            _ => command.is_valid(&frame),
        };
        let accepted = match parse(text) {
            Err(_) | Ok(ParsedFrame::V1(Err(_))) => false,
            Ok(ParsedFrame::V1(Ok(_))) => true,
            Ok(ParsedFrame::V2(commands)) => commands.iter().all(Result::is_ok),
        };
        let differs = DIFFERENCES.iter().any(|(part, _)| text.contains(part));
        assert_eq!(accepted != allowed, differs, "{text}: {accepted}");
        outcomes.insert(accepted);
    }
    assert_eq!(outcomes.len(), 2, "the corpus has valid and invalid frames");
}

#[test]
fn protocol_document_has_every_frame_and_field() {
    let document = document();
    let protocol = include_str!("../../../docs/protocol.md");
    let rows: Vec<Vec<&str>> = protocol
        .lines()
        .filter(|line| line.starts_with("| `"))
        // The words in backticks; the first is the name of the row.
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    for (key, message) in document["components"]["messages"].as_object().unwrap() {
        let reference = message["payload"]["$ref"].as_str().unwrap();
        let schema = document.pointer(&reference[1..]).unwrap();
        let Some(kind) = schema["properties"]["type"]["const"].as_str() else {
            continue;
        };
        let fields = schema["properties"].as_object().unwrap().keys();
        let fields: Vec<&str> = fields
            .map(String::as_str)
            .filter(|name| *name != "type")
            .collect();
        let has = |row: &&Vec<&str>| row[0] == kind && fields.iter().all(|one| row.contains(one));
        assert!(rows.iter().any(|row| has(&row)), "{key}: {fields:?}");
    }
}
