//! Scripts of frames for a Room, in any order, on several connections.
//!
//! Each line is a step: a digit and a text sends the text on that connection, `!` and a digit sends
//! a binary frame, `-` and a digit disconnects, `+` advances the clock by a second, `*` by a minute,
//! and `z` hibernates the Room. `{access}` in a text is replaced by a valid token.

use colloquy_fuzz::{Target, for_all};
use colloquy_proto::domain::Seconds;

use crate::fixture::{CONNECTIONS, Fixture, VALID_TOKEN};
use crate::frames::random_command;

#[test]
fn room() {
    let target = Target {
        name: "room",
        corpus: include_str!("corpus/room.txt"),
        words: &[
            "\n0",
            "\n1",
            "\n2",
            "\n3",
            "\n-2",
            "\n!2",
            "\n+",
            "\n*",
            "\nz",
            "{access}",
            "{\"type\":\"ping\"}",
            "{\"type\":\"resume\",\"since\":0,\"epoch\":\"e1\"}",
            "{\"message\":\"Hi\"}",
            "since",
            "9223372036854775807",
        ],
        cases: 4_000,
    };
    target.run(|input| {
        let mut fixture = Fixture::new();
        for line in input.split(|byte| *byte == b'\n') {
            run_step(&mut fixture, line);
        }
        fixture.hibernate();
        run_step(&mut fixture, b"2{\"type\":\"ping\"}");
    });
}

fn run_step(fixture: &mut Fixture, line: &[u8]) {
    let Some((first, rest)) = line.split_first() else {
        return;
    };
    let number = |byte: &u8| u64::from(byte.wrapping_sub(b'0')) % CONNECTIONS;
    match (first, rest) {
        (b'+', _) => fixture.advance(Seconds(1)),
        (b'*', _) => fixture.advance(Seconds(60)),
        (b'z', _) => fixture.hibernate(),
        (b'-', [which, ..]) => fixture.disconnect(number(which)),
        (b'!', [which, ..]) => fixture.binary_frame(number(which)),
        (which, text) => match std::str::from_utf8(text) {
            Ok(text) => fixture.text(number(which), &text.replace("{access}", VALID_TOKEN)),
            Err(_) => fixture.binary_frame(number(which)),
        },
    }
}

/// Valid commands, which get further than mutated frames.
#[test]
fn room_with_valid_commands() {
    for_all("room_with_valid_commands", 100, |random| {
        let mut fixture = Fixture::new();
        for _ in 0..random.usize(1..60) {
            let which = random.u64(0..CONNECTIONS);
            match random.u8(0..12) {
                0 => fixture.advance(Seconds(random.i64(0..30))),
                1 => fixture.hibernate(),
                2 => fixture.disconnect(which),
                _ => {
                    let frames: Vec<_> = (0..random.usize(1..=20))
                        .map(|_| random_command(random))
                        .collect();
                    fixture.text(which, &serde_json::json!(frames).to_string());
                }
            }
        }
    });
}
