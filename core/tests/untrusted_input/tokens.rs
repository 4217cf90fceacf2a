//! Access and refresh tokens: mutations of valid ones, and valid signatures over claims that this
//! server never issues.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use colloquy_core::auth::{TokenError, Tokens};
use colloquy_core::config::Secret;
use colloquy_fuzz::{NUMBERS, Rng, Target, arbitrary_text, for_all};
use colloquy_proto::domain::{Seconds, SessionId, Timestamp, UserId};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header, UntrustedToken};
use serde_json::{Map, Value, json};

const KEY: &str = "a key of more than 32 bytes, all of it";
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_123);

pub(crate) fn tokens() -> Tokens {
    Tokens::new(&Secret::new(KEY), &[], Seconds(900), Seconds(604_800))
}

/// An access token of the user Ann.
pub(crate) fn access(tokens: &Tokens) -> String {
    tokens
        .issue_access(UserId(1), &SessionId("s1".into()), NOW)
        .0
}

fn refresh(tokens: &Tokens) -> String {
    tokens
        .issue_refresh(UserId(1), &SessionId("s1".into()), 3, NOW)
        .0
}

#[test]
fn untrusted_tokens() {
    let tokens = tokens();
    let valid = [access(&tokens), refresh(&tokens)];
    let mut corpus = include_str!("corpus/tokens.txt").to_owned();
    for token in &valid {
        corpus.push_str(token);
        corpus.push('\n');
    }
    let target = Target {
        name: "untrusted_tokens",
        corpus: &corpus,
        words: &[
            ".",
            "..",
            "=",
            "eyJhbGciOiJub25lIn0",
            "eyJhbGciOiJIUzI1NiJ9",
            "e30",
            "-",
            "_",
        ],
        cases: 15_000,
    };
    target.run(|input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        for now in [NOW, Timestamp(i64::MIN), Timestamp(i64::MAX)] {
            let verified = tokens.verify_access(text, now);
            assert_eq!(tokens.verify_access_memoized(text, now), verified);
            let found = [
                verified.map(|_| ()),
                tokens.verify_refresh(text, now).map(|_| ()),
            ];
            for (found, valid) in found.into_iter().zip(&valid) {
                // Expiry is reported only for valid signatures.
                let accepted = found != Err(TokenError::Invalid);
                assert!(!accepted || text == valid, "a forged token was accepted");
            }
        }
    });
}

/// The key may have signed tokens of an older or newer version of this server.
#[test]
fn arbitrary_signed_claims_never_panic_or_change_meaning() {
    let tokens = tokens();
    let valid = access(&tokens);
    let valid = UntrustedToken::new(&valid).expect("a token");
    let id = valid.header().key_id.clone().expect("a key's id");
    let key = Hs256Key::new(KEY);
    for_all(
        "arbitrary_signed_claims_never_panic_or_change_meaning",
        3_000,
        |random| {
            let mut claims = Claims::new(Value::Object(some_claims(random)));
            if random.u8(0..8) > 0 {
                claims.expiration = DateTime::from_timestamp(
                    random.i64(-9_000_000_000_000..9_000_000_000_000) >> random.u32(0..40),
                    0,
                );
            }
            let header = Header::empty().with_key_id(id.clone());
            let token = Hs256
                .token(&header, &claims, &key)
                .expect("claims are JSON");
            if let Ok(caller) = tokens.verify_access(&token, NOW) {
                assert!(caller.expires_at > NOW);
                assert_eq!(claims.custom["token_type"], json!("access"), "another type");
                assert_eq!(claims.custom["user_id"], json!(caller.user_id.0));
            }
            if let Ok(found) = tokens.verify_refresh(&token, NOW) {
                assert!(found.expires_at > NOW);
                assert_eq!(
                    claims.custom["token_type"],
                    json!("refresh"),
                    "another type"
                );
                assert_eq!(claims.custom["gen"], json!(found.generation));
            }
        },
    );
}

fn some_claims(random: &mut Rng) -> Map<String, Value> {
    let usual = [
        ("token_type", json!("access")),
        ("jti", json!("s1.1")),
        ("user_id", json!(1)),
        ("sid", json!("s1")),
        ("gen", json!(0)),
    ];
    let mut claims = Map::new();
    for (name, value) in usual {
        match random.u8(0..12) {
            0 => continue,
            1 => claims.insert(name.to_owned(), some_value(random)),
            _ => claims.insert(name.to_owned(), value),
        };
    }
    if random.bool() {
        claims.insert("token_type".to_owned(), json!("refresh"));
    }
    if random.u8(0..4) == 0 {
        claims.insert(arbitrary_text(random), some_value(random));
    }
    claims
}

fn some_value(random: &mut Rng) -> Value {
    match random.u8(0..4) {
        0 => json!(arbitrary_text(random)),
        1 => json!(random.i64(..)),
        2 => json!([null, {"a": arbitrary_text(random)}]),
        _ => serde_json::from_str(NUMBERS[random.usize(0..NUMBERS.len())]).unwrap_or_default(),
    }
}

#[test]
fn issued_tokens_are_valid_until_they_expire() {
    let tokens = tokens();
    for_all(
        "issued_tokens_are_valid_until_they_expire",
        2_000,
        |random| {
            let now = Timestamp(random.i64(0..=4_000_000_000_000));
            let (user, session) = (
                UserId(random.i64(..)),
                SessionId(arbitrary_text(random).into()),
            );
            let generation = random.i64(..);
            let (token, expires_at) = tokens.issue_access(user, &session, now);
            // Longer tokens are rejected; session ids are generated by the server, so they are short.
            if token.len() > 2_048 {
                return;
            }
            let caller = tokens.verify_access(&token, now).expect("valid");
            assert_eq!(
                (caller.user_id, &caller.session_id, caller.expires_at),
                (user, &session, expires_at)
            );
            assert_eq!(
                tokens.verify_access(&token, expires_at),
                Err(TokenError::Expired)
            );
            assert_eq!(tokens.verify_refresh(&token, now), Err(TokenError::Invalid));
            let (token, _) = tokens.issue_refresh(user, &session, generation, now);
            let found = tokens.verify_refresh(&token, now).expect("valid");
            assert_eq!((found.user_id, found.generation), (user, generation));
            assert_eq!(tokens.verify_access(&token, now), Err(TokenError::Invalid));
            let parts: Vec<&str> = token.split('.').collect();
            assert!(
                parts.len() == 3
                    && parts
                        .iter()
                        .all(|part| URL_SAFE_NO_PAD.decode(part).is_ok())
            );
        },
    );
}
