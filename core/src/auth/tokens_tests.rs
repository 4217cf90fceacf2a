use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs384, Hs384Key};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_123);
const OLD: &str = "an old key of more than 32 bytes, all of it";
const NEW: &str = "a new key of more than 32 bytes, all of it";

fn tokens(current: &str, previous: &[&str]) -> Tokens {
    let previous: Vec<_> = previous.iter().map(|key| Secret::new(*key)).collect();
    Tokens::new(
        &Secret::new(current),
        &previous,
        Seconds(900),
        Seconds(604_800),
    )
}

fn session() -> SessionId {
    SessionId("c2Vzc2lvbg".into())
}

fn access(tokens: &Tokens) -> String {
    tokens.issue_access(UserId(7), &session(), NOW).0
}

/// The token with its header and claims replaced, and its signature kept.
fn forged(token: &str, header: Option<&str>, claims: Option<&str>) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    for (part, text) in parts.iter_mut().zip([header, claims]) {
        if let Some(text) = text {
            *part = URL_SAFE_NO_PAD.encode(text);
        }
    }
    parts.join(".")
}

fn claims_of(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn token_carries_caller_and_expiry() {
    let tokens = tokens(NEW, &[]);
    let (token, expires_at) = tokens.issue_access(UserId(7), &session(), NOW);
    assert_eq!(expires_at, Timestamp(1_800_000_900_000));
    let caller = tokens.verify_access(&token, NOW).unwrap();
    assert_eq!(
        caller,
        Caller {
            user_id: UserId(7),
            session_id: session(),
            expires_at
        }
    );
    let (token, expires_at) = tokens.issue_refresh(UserId(7), &session(), 3, NOW);
    let refresh = tokens.verify_refresh(&token, NOW).unwrap();
    assert_eq!((refresh.generation, refresh.expires_at), (3, expires_at));
    assert!(claims_of(&token).contains(r#""token_type":"refresh""#));
}

#[test]
fn token_expires_exactly_at_its_time() {
    let tokens = tokens(NEW, &[]);
    let (token, expires_at) = tokens.issue_access(UserId(7), &session(), NOW);
    assert!(
        tokens
            .verify_access(&token, Timestamp(expires_at.0 - 1))
            .is_ok()
    );
    assert_eq!(
        tokens.verify_access(&token, expires_at),
        Err(TokenError::Expired)
    );
}

#[test]
fn memoized_token_expires_exactly_at_its_time() {
    let tokens = tokens(NEW, &[]);
    let (token, expires_at) = tokens.issue_access(UserId(7), &session(), NOW);
    let verified = tokens.verify_access(&token, NOW);
    for now in [NOW, NOW, Timestamp(expires_at.0 - 1)] {
        assert_eq!(tokens.verify_access_memoized(&token, now), verified);
    }
    for _ in 0..2 {
        let result = tokens.verify_access_memoized(&token, expires_at);
        assert_eq!(result, Err(TokenError::Expired));
    }
}

#[test]
fn memoized_token_validates_no_other_text() {
    let tokens = tokens(NEW, &[]);
    let (one, _) = tokens.issue_access(UserId(7), &session(), NOW);
    let (other, _) = tokens.issue_access(UserId(8), &session(), NOW);
    let refresh = tokens.issue_refresh(UserId(7), &session(), 0, NOW).0;
    for _ in 0..2 {
        assert_eq!(
            tokens.verify_access_memoized(&one, NOW).unwrap().user_id.0,
            7
        );
        assert_eq!(
            tokens
                .verify_access_memoized(&other, NOW)
                .unwrap()
                .user_id
                .0,
            8
        );
        let signature = one.rfind('.').unwrap();
        let foreign = format!(
            "{}{}",
            &other[..other.rfind('.').unwrap()],
            &one[signature..]
        );
        for text in [&refresh, &foreign, &one[1..], &format!("{one}="), ""] {
            let result = tokens.verify_access_memoized(text, NOW);
            assert_eq!(result, Err(TokenError::Invalid), "{text}");
        }
    }
}

#[test]
fn token_types_are_not_interchangeable() {
    let tokens = tokens(NEW, &[]);
    let refresh = tokens.issue_refresh(UserId(7), &session(), 0, NOW).0;
    assert_eq!(
        tokens.verify_access(&refresh, NOW),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        tokens.verify_refresh(&access(&tokens), NOW),
        Err(TokenError::Invalid)
    );
}

#[test]
fn other_algorithms_are_rejected() {
    let tokens = tokens(NEW, &[]);
    let token = access(&tokens);
    let id = &tokens.current.id;
    for algorithm in ["none", "None", "HS384", "RS256", ""] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{id}"}}"#);
        let forged = forged(&token, Some(&header), None);
        assert_eq!(
            tokens.verify_access(&forged, NOW),
            Err(TokenError::Invalid),
            "{algorithm}"
        );
        let unsigned = format!("{}.", forged.rsplit_once('.').unwrap().0);
        assert_eq!(
            tokens.verify_access(&unsigned, NOW),
            Err(TokenError::Invalid),
            "{algorithm}"
        );
    }
    // Also with a valid signature of the current key.
    let custom = CustomClaims {
        token_type: TokenType::Access,
        jti: String::new(),
        user_id: UserId(7),
        sid: session(),
        generation: None,
    };
    let mut claims = Claims::new(custom);
    claims.expiration = DateTime::from_timestamp(NOW.unix_seconds() + 60, 0);
    let header = Header::empty().with_key_id(id);
    let token = Hs384.token(&header, &claims, &Hs384Key::new(NEW)).unwrap();
    assert_eq!(tokens.verify_access(&token, NOW), Err(TokenError::Invalid));
}

/// A token with this header and these claims, signed with the current key.
fn signed(tokens: &Tokens, header: &str, claims: &str) -> String {
    let signed_data = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = Hs256.sign(&tokens.current.key, signed_data.as_bytes());
    format!(
        "{signed_data}.{}",
        URL_SAFE_NO_PAD.encode(signature.as_bytes())
    )
}

#[test]
fn token_with_a_critical_extension_is_rejected() {
    let tokens = tokens(NEW, &[]);
    let claims = claims_of(&access(&tokens));
    let header = |more: &str| {
        let id = &tokens.current.id;
        format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{id}"{more}}}"#)
    };
    let verify = |more: &str| tokens.verify_access(&signed(&tokens, &header(more), &claims), NOW);
    // A parameter that is unknown and not critical is ignored (RFC 7515 §4).
    for more in ["", r#","b64":false"#, r#","x":{"crit":["exp"]}"#] {
        assert!(verify(more).is_ok(), "{more}");
    }
    for value in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null", r#""exp""#] {
        let result = verify(&format!(r#","crit":{value}"#));
        assert_eq!(result, Err(TokenError::Invalid), "{value}");
    }
}

#[test]
fn token_is_rejected_before_its_nbf() {
    let tokens = tokens(NEW, &[]);
    let claims = claims_of(&access(&tokens));
    let header = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, tokens.current.id);
    let not_before = NOW.unix_seconds() + 60;
    let claims = claims.replacen('{', &format!(r#"{{"nbf":{not_before},"#), 1);
    let token = signed(&tokens, &header, &claims);
    let starts_at = Timestamp(not_before * 1_000);
    for _ in 0..2 {
        let early = Timestamp(starts_at.0 - 1);
        assert_eq!(
            tokens.verify_access_memoized(&token, early),
            Err(TokenError::Invalid)
        );
    }
    assert!(tokens.verify_access(&token, starts_at).is_ok());
}

#[test]
fn modified_token_is_rejected() {
    let tokens = tokens(NEW, &[]);
    let token = access(&tokens);
    let other = claims_of(&token).replace("\"user_id\":7", "\"user_id\":8");
    assert_ne!(other, claims_of(&token));
    assert_eq!(
        tokens.verify_access(&forged(&token, None, Some(&other)), NOW),
        Err(TokenError::Invalid)
    );
    for at in 0..token.len() {
        // The last character of each part may hold unused bits; the decoder rejects those too.
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let modified = String::from_utf8(bytes).unwrap();
        assert_eq!(
            tokens.verify_access(&modified, NOW),
            Err(TokenError::Invalid),
            "at {at}"
        );
    }
}

#[test]
fn malformed_token_is_rejected() {
    let tokens = tokens(NEW, &[]);
    let deep = URL_SAFE_NO_PAD.encode(format!("{{\"a\":{}", "[".repeat(1_000)));
    let huge = "a.".repeat(100_000);
    for text in [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        "\u{0}",
        "é.é.é",
        &deep,
        &huge,
        &format!("{deep}.e30.AA"),
    ] {
        assert_eq!(
            tokens.verify_access(text, NOW),
            Err(TokenError::Invalid),
            "{text:.20}"
        );
    }
    let token = access(&tokens);
    assert_eq!(
        tokens.verify_access(&forged(&token, None, Some("{}")), NOW),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        tokens.verify_access(&format!("{token}AAAA"), NOW),
        Err(TokenError::Invalid)
    );
}

#[test]
fn previous_key_verifies_until_it_is_removed() {
    let before = access(&tokens(OLD, &[]));
    let rotated = tokens(NEW, &[OLD]);
    assert!(rotated.verify_access(&before, NOW).is_ok());
    let after = access(&rotated);
    assert_eq!(
        tokens(OLD, &[]).verify_access(&after, NOW),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        tokens(NEW, &[]).verify_access(&before, NOW),
        Err(TokenError::Invalid)
    );
    // An attacker can choose the key id, but does not have the key.
    let header = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, rotated.current.id);
    assert_eq!(
        rotated.verify_access(&forged(&before, Some(&header), None), NOW),
        Err(TokenError::Invalid)
    );
}
