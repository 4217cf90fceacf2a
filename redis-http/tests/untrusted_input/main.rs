//! The Upstash protocol with hostile bodies: of callers, which the proxy reads, and of whatever
//! answers in a Redis's place, which the client reads. A failure prints the line that replays it.

use colloquy_fuzz::{Rng, Target, arbitrary_text, for_all};
use colloquy_redis_http::codec::{
    CodecError, Command, CommandError, Encoding, Outcome, Reply, decode_command, decode_commands,
    decode_outcomes, decode_refusal, encode_commands, encode_outcomes, encode_refusal,
};

const ENCODINGS: [Encoding; 2] = [Encoding::Plain, Encoding::Base64];

/// INVARIANT: an error says where, never what: bodies carry messages and tokens.
fn check_error(error: &CodecError) {
    let text = error.to_string();
    assert!(text.is_ascii() && text.len() <= 100, "{text}");
}

#[test]
fn redis_commands() {
    let target = Target {
        name: "redis_commands",
        corpus: include_str!("corpus/commands.txt"),
        words: &["GET", "SET", "null", "[", "]", ",", "\"", "{", "}"],
        cases: 40_000,
    };
    target.run(|body| {
        match decode_command(body) {
            Ok(command) => {
                let longest = command.words().iter().map(String::len).sum::<usize>();
                assert!(longest <= body.len(), "more words than were sent");
                let shown = format!("{command:?}");
                assert!(command.words().len() < 2 || shown.len() < command.name().len() + 40);
                check_survive(&[command]);
            }
            Err(error) => check_error(&error),
        }
        match decode_commands(body) {
            Ok(commands) => check_survive(&commands),
            Err(error) => check_error(&error),
        }
    });
}

fn check_survive(commands: &[Command]) {
    let body = encode_commands(commands).expect("encodes");
    assert!(
        decode_commands(&body).expect("decodes") == commands,
        "other commands"
    );
}

#[test]
fn redis_answers() {
    let target = Target {
        name: "redis_answers",
        corpus: include_str!("corpus/answers.txt"),
        words: &[
            "result", "error", "OK", "T0s=", "null", "[", "]", "{", "}", ",", ":",
        ],
        cases: 40_000,
    };
    target.run(|body| {
        for encoding in ENCODINGS {
            match decode_outcomes(body, encoding) {
                // INVARIANT: what was understood is understood again when it is written anew.
                Ok(outcomes) => check_answers(&outcomes),
                Err(error) => check_error(&error),
            }
        }
        if let Some(error) = decode_refusal(body) {
            let again = encode_refusal(error.text()).expect("encodes");
            assert_eq!(decode_refusal(&again), Some(error));
        }
    });
}

fn check_answers(outcomes: &[Outcome]) {
    let body = encode_outcomes(outcomes, Encoding::Base64).expect("encodes");
    assert_eq!(
        decode_outcomes(&body, Encoding::Base64).as_deref(),
        Ok(outcomes)
    );
}

fn some_reply(random: &mut Rng, depth: u32) -> Reply {
    match random.u8(0..if depth == 0 { 5 } else { 6 }) {
        0 => Reply::Nil,
        1 => Reply::Integer(random.i64(..)),
        2 => Reply::Text(arbitrary_text(random)),
        3 => Reply::from_bytes((0..random.usize(0..20)).map(|_| random.u8(..)).collect()),
        4 => Reply::Error(CommandError::new(arbitrary_text(random))),
        _ => Reply::Array(
            (0..random.usize(0..5))
                .map(|_| some_reply(random, depth - 1))
                .collect(),
        ),
    }
}

#[test]
fn redis_values_come_back() {
    for_all("redis_values_come_back", 3_000, |random| {
        let outcomes: Vec<Outcome> = (0..random.usize(0..6))
            .map(|_| match some_reply(random, 4) {
                Reply::Error(error) => Err(error),
                reply => Ok(reply),
            })
            .collect();
        check_answers(&outcomes);
        let commands: Vec<Command> = (0..random.usize(0..5))
            .map(|_| {
                (0..random.usize(0..6))
                    .map(|_| arbitrary_text(random))
                    .collect()
            })
            .collect();
        check_survive(&commands);
    });
}
