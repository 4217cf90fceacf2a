//! Fuzzing of the codec: request bodies, which the proxy decodes, and response bodies, which the
//! client decodes. A failure prints the command that replays it.

use colloquy_fuzz::{Rng, Target, arbitrary_text, for_all};
use colloquy_redis_http::codec::{
    CodecError, Command, CommandError, Encoding, Outcome, Reply, decode_command, decode_commands,
    decode_error, decode_outcomes, encode_commands, encode_error, encode_outcomes,
};

const ENCODINGS: [Encoding; 2] = [Encoding::Plain, Encoding::Base64];

/// INVARIANT: an error has the position, never the content: bodies hold messages and tokens.
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
                assert!(longest <= body.len(), "longer than the input");
                let debug = format!("{command:?}");
                assert!(command.words().len() < 2 || debug.len() < command.name().len() + 40);
                check_round_trip(&[command]);
            }
            Err(error) => check_error(&error),
        }
        match decode_commands(body) {
            Ok(commands) => check_round_trip(&commands),
            Err(error) => check_error(&error),
        }
    });
}

fn check_round_trip(commands: &[Command]) {
    let body = encode_commands(commands).expect("encodes");
    assert!(
        decode_commands(&body).expect("decodes") == commands,
        "different commands"
    );
}

#[test]
fn redis_responses() {
    let target = Target {
        name: "redis_responses",
        corpus: include_str!("corpus/responses.txt"),
        words: &[
            "result", "error", "OK", "T0s=", "null", "[", "]", "{", "}", ",", ":",
        ],
        cases: 40_000,
    };
    target.run(|body| {
        for encoding in ENCODINGS {
            match decode_outcomes(body, encoding) {
                // INVARIANT: decoded outcomes survive a round trip.
                Ok(outcomes) => check_outcomes(&outcomes),
                Err(error) => check_error(&error),
            }
        }
        if let Some(error) = decode_error(body) {
            let again = encode_error(error.text()).expect("encodes");
            assert_eq!(decode_error(&again), Some(error));
        }
    });
}

fn check_outcomes(outcomes: &[Outcome]) {
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
fn redis_values_round_trip() {
    for_all("redis_values_round_trip", 3_000, |random| {
        let outcomes: Vec<Outcome> = (0..random.usize(0..6))
            .map(|_| match some_reply(random, 4) {
                Reply::Error(error) => Err(error),
                reply => Ok(reply),
            })
            .collect();
        check_outcomes(&outcomes);
        let commands: Vec<Command> = (0..random.usize(0..5))
            .map(|_| {
                (0..random.usize(0..6))
                    .map(|_| arbitrary_text(random))
                    .collect()
            })
            .collect();
        check_round_trip(&commands);
    });
}
