//! Whole scripts of frames at a Room, in any order and on several connections.
//!
//! A script is lines: a digit and a text sends the text on that connection; `!` and a digit sends
//! what is no text, `-` and a digit disconnects, `+` lets a second pass, `*` a minute, and `z` puts
//! the Room to sleep. `{access}` in a text stands for a genuine token.

use colloquy_fuzz::{Target, for_all};
use colloquy_proto::domain::Seconds;

use crate::encoder;
use crate::frames::some_command;
use crate::room_world::{CONNECTIONS, World};

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
        let mut world = World::new();
        for line in input.split(|byte| *byte == b'\n') {
            play(&mut world, line);
        }
        world.sleep();
        play(&mut world, b"2{\"type\":\"ping\"}");
    });
}

fn play(world: &mut World, line: &[u8]) {
    let Some((first, rest)) = line.split_first() else {
        return;
    };
    let number = |byte: &u8| u64::from(byte.wrapping_sub(b'0')) % CONNECTIONS;
    match (first, rest) {
        (b'+', _) => world.wait(Seconds(1)),
        (b'*', _) => world.wait(Seconds(60)),
        (b'z', _) => world.sleep(),
        (b'-', [which, ..]) => world.disconnect(number(which)),
        (b'!', [which, ..]) => world.unusable(number(which)),
        (which, text) => match std::str::from_utf8(text) {
            Ok(text) => {
                let token = world.token();
                world.text(number(which), &text.replace("{access}", &token));
            }
            Err(_) => world.unusable(number(which)),
        },
    }
}

/// The same with commands that are well formed, and so get further.
#[test]
fn room_of_commands() {
    for_all("room_of_commands", 100, |random| {
        let mut world = World::new();
        for _ in 0..random.usize(1..60) {
            let which = random.u64(0..CONNECTIONS);
            match random.u8(0..12) {
                0 => world.wait(Seconds(random.i64(0..30))),
                1 => world.sleep(),
                2 => world.disconnect(which),
                _ => {
                    let frames: Vec<_> = (0..random.usize(1..=20))
                        .map(|_| encoder::v2(&some_command(random)))
                        .collect();
                    world.text(which, &serde_json::Value::from(frames).to_string());
                }
            }
        }
    });
}
