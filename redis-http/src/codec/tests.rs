//! The documented examples, edge cases, and round trips of seeded random values. A failing round trip
//! prints its seed.

use super::*;

/// A small seeded generator (xorshift64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).expect("a small bound")
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] = [
            "OK",
            "",
            "a",
            "\"",
            "\\",
            "\u{0}",
            "\u{7f}",
            "é",
            "日本",
            "👩‍👩‍👧",
            "\u{fffd}",
            "\n",
        ];
        let length = self.below(6);
        (0..length).map(|_| PIECES[self.below(12)]).collect()
    }

    fn reply(&mut self, depth: u32) -> Reply {
        match self.below(if depth == 0 { 5 } else { 6 }) {
            0 => Reply::Nil,
            1 => Reply::Integer(i64::from_ne_bytes(self.next().to_ne_bytes())),
            2 => Reply::Text(self.text()),
            3 => {
                let length = self.below(20);
                Reply::from_bytes((0..length).map(|_| self.next().to_ne_bytes()[0]).collect())
            }
            4 => Reply::Error(CommandError::new(format!("ERR {}", self.text()))),
            _ => {
                let length = self.below(5);
                Reply::Array((0..length).map(|_| self.reply(depth - 1)).collect())
            }
        }
    }

    fn outcome(&mut self) -> Outcome {
        match self.below(5) {
            0 => Err(CommandError::new(format!("ERR {}", self.text()))),
            // At the top level an error is an outcome, never a result.
            _ => match self.reply(4) {
                Reply::Error(error) => Err(error),
                reply => Ok(reply),
            },
        }
    }
}

/// The reply after a plain round trip: bytes that are not UTF-8 are replaced.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Array(elements) => Reply::Array(elements.into_iter().map(plain).collect()),
        other => other,
    }
}

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[test]
fn outcomes_round_trip() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let outcomes: Vec<Outcome> = (0..random.below(6)).map(|_| random.outcome()).collect();

        let body = encode_outcomes(&outcomes, Encoding::Base64).expect("encodes");
        let read = decode_outcomes(&body, Encoding::Base64).expect("decodes");
        assert_eq!(read, outcomes, "base64, seed {seed}");

        let body = encode_outcomes(&outcomes, Encoding::Plain).expect("encodes");
        let read = decode_outcomes(&body, Encoding::Plain).expect("decodes");
        let expected: Vec<Outcome> = outcomes
            .into_iter()
            .map(|outcome| outcome.map(plain))
            .collect();
        assert_eq!(read, expected, "plain, seed {seed}");
    }
}

#[test]
fn commands_round_trip() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let commands: Vec<Command> = (0..random.below(5))
            .map(|_| (0..random.below(6)).map(|_| random.text()).collect())
            .collect();
        let body = encode_commands(&commands).expect("encodes");
        assert!(
            decode_commands(&body).expect("decodes") == commands,
            "seed {seed}"
        );
    }
}

#[test]
fn corrupted_body_never_panics() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let outcomes: Vec<Outcome> = (0..3).map(|_| random.outcome()).collect();
        let mut body = encode_outcomes(&outcomes, Encoding::Base64).expect("encodes");
        let at = random.below(body.len() as u64);
        body[at] = random.next().to_ne_bytes()[0];
        // Any result is accepted.
        let _ = decode_outcomes(&body, Encoding::Base64);
        let _ = decode_outcomes(&body, Encoding::Plain);
        let _ = decode_commands(&body);
        let _ = decode_error(&body);
    }
}

#[test]
fn documented_pipeline_response_is_decoded() {
    let body =
        br#"[{"result":"OK"},{"error":"ERR value is not an int or out of range"},{"result":2},
        {"result":null},{"result":["a",null,[1]]}]"#;
    let read = decode_outcomes(body, Encoding::Plain).expect("decodes");
    assert_eq!(
        read,
        [
            Ok(text("OK")),
            Err(CommandError::new("ERR value is not an int or out of range")),
            Ok(Reply::Integer(2)),
            Ok(Reply::Nil),
            Ok(Reply::Array(vec![
                text("a"),
                Reply::Nil,
                Reply::Array(vec![Reply::Integer(1)])
            ])),
        ]
    );
}

#[test]
fn base64_leaves_only_a_whole_ok_plain() {
    let encoded = |reply| {
        let body = encode_outcome(&Ok(reply), Encoding::Base64).expect("encodes");
        String::from_utf8(body).expect("utf-8")
    };
    assert_eq!(encoded(text("OK")), r#"{"result":"OK"}"#);
    assert_eq!(encoded(text("bar")), r#"{"result":"YmFy"}"#);
    assert_eq!(
        encoded(Reply::Array(vec![text("OK")])),
        r#"{"result":["T0s="]}"#
    );
    assert_eq!(encoded(Reply::Bytes(vec![0xff])), r#"{"result":"/w=="}"#);
}

#[test]
fn nested_ok_is_decoded_plain_or_encoded() {
    let body = br#"[{"result":["OK","T0s="]}]"#;
    let read = decode_outcomes(body, Encoding::Base64).expect("decodes");
    assert_eq!(read, [Ok(Reply::Array(vec![text("OK"), text("OK")]))]);
}

#[test]
fn numbers_and_booleans_keep_their_text() {
    let body = br#"["ZADD", "key", 12345678901234567890123, -0.50, 1e21, true, false, "x"]"#;
    let command = decode_command(body).expect("decodes");
    assert_eq!(
        command.words(),
        [
            "ZADD",
            "key",
            "12345678901234567890123",
            "-0.50",
            "1e21",
            "true",
            "false",
            "x"
        ]
    );
}

#[test]
fn words_of_other_types_are_rejected() {
    for body in [
        "null",
        "{}",
        r#""GET""#,
        r#"["GET",null]"#,
        r#"["GET",["k"]]"#,
        r#"["SET",{}]"#,
    ] {
        assert!(decode_command(body.as_bytes()).is_err(), "{body}");
    }
    assert!(
        decode_commands(br#"["GET","k"]"#).is_err(),
        "one command is not a pipeline"
    );
}

#[test]
fn responses_of_other_shapes_are_rejected() {
    for body in [
        "",
        "null",
        "{}",
        "[{}]",
        r#"[{"result":{"a":1}}]"#,
        r#"[{"error":null}]"#,
        "[1]",
    ] {
        assert!(
            decode_outcomes(body.as_bytes(), Encoding::Plain).is_err(),
            "{body}"
        );
    }
    let error = decode_outcomes(br#"[{"result":"%"}]"#, Encoding::Base64);
    assert_eq!(error, Err(CodecError::Base64));
}

#[test]
fn deeply_nested_body_is_rejected() {
    let body = format!(r#"[{{"result":{}"#, "[".repeat(100_000));
    assert!(decode_outcomes(body.as_bytes(), Encoding::Plain).is_err());
}

#[test]
fn error_has_the_position_but_not_the_content() {
    let error = decode_commands(br#"[["SET","secret",null]]"#).expect_err("null is not a word");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("line 1") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn debug_of_a_command_hides_its_arguments() {
    let command = Command::new("SET").arg("session").arg("secret").int(5);
    assert_eq!(format!("{command:?}"), "Command(SET +3)");
    assert_eq!(command.words(), ["SET", "session", "secret", "5"]);
}

#[test]
fn integer_is_read_from_both_forms() {
    assert_eq!(Reply::Integer(7).as_integer(), Some(7));
    assert_eq!(text("-7").as_integer(), Some(-7));
    assert_eq!(text("seven").as_integer(), None);
    assert_eq!(Reply::Nil.as_integer(), None);
}

#[test]
fn error_is_distinguished_from_a_result() {
    let body = encode_error("ERR empty pipeline request").expect("encodes");
    assert_eq!(body, br#"{"error":"ERR empty pipeline request"}"#);
    let error = decode_error(&body).expect("an error");
    assert_eq!(
        (error.code(), error.text()),
        ("ERR", "ERR empty pipeline request")
    );
    assert_eq!(decode_error(br#"{"result":1}"#), None);
    assert_eq!(decode_error(b"<html>"), None);
}
