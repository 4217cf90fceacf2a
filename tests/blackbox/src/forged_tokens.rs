//! Tokens that every server must reject. A token is a JWT (RFC 7519): header, payload and signature, each
//! in base64url (RFC 4648 §5) without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The payload of a token, not verified.
#[track_caller]
pub fn token_payload(token: &str) -> Value {
    decode(token.split('.').nth(1).unwrap_or_default())
}

/// Forgeries made from a genuine token, each with a description of what is wrong with it.
#[track_caller]
pub fn forged_tokens(genuine: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = genuine.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!("expected a JWT of three parts");
    };
    let mut forged: Vec<(String, String)> = vec![
        ("empty".to_owned(), String::new()),
        ("a word".to_owned(), "token".to_owned()),
        ("three words".to_owned(), "a.b.c".to_owned()),
        ("dots".to_owned(), "....".to_owned()),
        ("very long".to_owned(), "a".repeat(4_000)),
        ("no signature".to_owned(), format!("{head}.{body}.")),
        ("two parts".to_owned(), format!("{head}.{body}")),
        ("four parts".to_owned(), format!("{genuine}.{signature}")),
        (
            "truncated signature".to_owned(),
            format!("{head}.{body}.{}", &signature[..signature.len() / 2]),
        ),
        (
            "another signature".to_owned(),
            format!("{head}.{body}.{}", altered(signature)),
        ),
    ];
    for algorithm in ["none", "None", "HS512", "RS256"] {
        let mut fields = decode(head);
        fields["alg"] = json!(algorithm);
        let head = encode(&fields);
        forged.push((
            format!("alg {algorithm}"),
            format!("{head}.{body}.{signature}"),
        ));
        forged.push((
            format!("alg {algorithm}, unsigned"),
            format!("{head}.{body}."),
        ));
    }
    let mut fields = decode(head);
    fields["kid"] = json!("another");
    forged.push((
        "another key id".to_owned(),
        format!("{}.{body}.{signature}", encode(&fields)),
    ));
    forged.extend(tampered(&decode(body)).into_iter().map(|(name, payload)| {
        let name = format!("another {name}");
        (name, format!("{head}.{}.{signature}", encode(&payload)))
    }));
    forged
}

/// For each field of the payload, the payload with that field changed.
fn tampered(payload: &Value) -> Vec<(String, Value)> {
    let fields = payload.as_object().expect("an object");
    let change = |(name, value): (&String, &Value)| {
        let mut payload = payload.clone();
        payload[name] = match value {
            Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1),
            Value::String(text) => json!(altered(text)),
            _ => json!("another"),
        };
        (name.clone(), payload)
    };
    fields.iter().map(change).collect()
}

/// The text with another first character. (The last character of base64 may hold unused bits.)
fn altered(text: &str) -> String {
    let first = if text.starts_with('1') { '2' } else { '1' };
    let rest: String = text.chars().skip(1).collect();
    format!("{first}{rest}")
}

#[track_caller]
fn decode(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_tokens_differ_from_the_genuine_token() {
        let genuine = format!(
            "{}.{}.c2lnbmF0dXJl",
            encode(&json!({"alg": "HS256"})),
            encode(&json!({"sub": 1, "exp": 2, "sid": "abc"})),
        );
        let forged = forged_tokens(&genuine);
        assert!(forged.iter().all(|(_, token)| *token != genuine));
        assert!(forged.iter().any(|(name, _)| name == "another sub"));
        assert_eq!(token_payload(&genuine)["sid"], "abc");
    }
}
