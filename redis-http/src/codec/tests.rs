//! Tests of the codec: the documented examples, the edges, and round trips of seeded random
//! values. A failing round trip prints its seed.

use super::*;

/// A small generator, so that a failure replays from its seed without another dependency.
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
            // A refusal is an outcome of its own at the top, never a result.
            _ => match self.reply(4) {
                Reply::Error(error) => Err(error),
                reply => Ok(reply),
            },
        }
    }
}

/// What a plain answer keeps of `reply`: everything but the bytes that are not UTF-8.
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
fn outcomes_survive_the_wire() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let outcomes: Vec<Outcome> = (0..random.below(6)).map(|_| random.outcome()).collect();

        let body = encode_outcomes(&outcomes, Encoding::Base64).expect("encodes");
        let read = decode_outcomes(&body, Encoding::Base64).expect("decodes");
        assert_eq!(read, outcomes, "base64, seed {seed}");

        let body = encode_outcomes(&outcomes, Encoding::Plain).expect("encodes");
        let read = decode_outcomes(&body, Encoding::Plain).expect("decodes");
        let kept: Vec<Outcome> = outcomes
            .into_iter()
            .map(|outcome| outcome.map(plain))
            .collect();
        assert_eq!(read, kept, "plain, seed {seed}");
    }
}

#[test]
fn commands_survive_the_wire() {
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
fn a_damaged_body_is_an_error_and_never_a_panic() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let outcomes: Vec<Outcome> = (0..3).map(|_| random.outcome()).collect();
        let mut body = encode_outcomes(&outcomes, Encoding::Base64).expect("encodes");
        let at = random.below(body.len() as u64);
        body[at] = random.next().to_ne_bytes()[0];
        // Any answer will do, as long as there is one.
        let _ = decode_outcomes(&body, Encoding::Base64);
        let _ = decode_outcomes(&body, Encoding::Plain);
        let _ = decode_commands(&body);
        let _ = decode_refusal(&body);
    }
}

#[test]
fn the_documented_pipeline_answer_is_read() {
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
fn base64_spares_a_whole_answer_of_ok_and_nothing_else() {
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
fn a_nested_ok_is_read_encoded_or_not() {
    let body = br#"[{"result":["OK","T0s="]}]"#;
    let read = decode_outcomes(body, Encoding::Base64).expect("decodes");
    assert_eq!(read, [Ok(Reply::Array(vec![text("OK"), text("OK")]))]);
}

#[test]
fn numbers_and_booleans_become_the_words_that_were_written() {
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
fn words_of_other_kinds_are_refused() {
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
        "one command is no pipeline"
    );
}

#[test]
fn answers_of_other_shapes_are_refused() {
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
fn a_body_nested_without_end_is_refused() {
    let body = format!(r#"[{{"result":{}"#, "[".repeat(100_000));
    assert!(decode_outcomes(body.as_bytes(), Encoding::Plain).is_err());
}

#[test]
fn an_error_tells_where_but_not_what() {
    let error = decode_commands(br#"[["SET","secret",null]]"#).expect_err("null is no word");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("line 1") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn debug_of_a_command_hides_its_arguments() {
    let command = Command::new("SET").arg("session").arg("secret").int(5);
    assert_eq!(format!("{command:?}"), "Command(SET +3)");
    assert_eq!(command.words(), ["SET", "session", "secret", "5"]);
}

#[test]
fn an_integer_is_read_from_either_form() {
    assert_eq!(Reply::Integer(7).as_integer(), Some(7));
    assert_eq!(text("-7").as_integer(), Some(-7));
    assert_eq!(text("seven").as_integer(), None);
    assert_eq!(Reply::Nil.as_integer(), None);
}

#[test]
fn a_refusal_is_told_from_an_answer() {
    let body = encode_refusal("ERR empty pipeline request").expect("encodes");
    assert_eq!(body, br#"{"error":"ERR empty pipeline request"}"#);
    let error = decode_refusal(&body).expect("a refusal");
    assert_eq!(
        (error.code(), error.text()),
        ("ERR", "ERR empty pipeline request")
    );
    assert_eq!(decode_refusal(br#"{"result":1}"#), None);
    assert_eq!(decode_refusal(b"<html>"), None);
}
