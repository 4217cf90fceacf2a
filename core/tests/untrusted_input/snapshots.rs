//! What sockets carry of their connections while their Room sleeps. No stranger writes it, but
//! another version of this server may have: whatever is there is refused or woken from, and the
//! Room goes on.

use colloquy_fuzz::{NUMBERS, Rng, Target, for_all, hostile_text};
use colloquy_proto::domain::Seconds;
use colloquy_proto::room::Snapshot;
use serde_json::{Value, json};

use crate::room_world::{CONNECTIONS, World};
use crate::tokens::NOW;

/// How many connections a Room wakes with at most.
const MAX_WOKEN: usize = 8;

/// A Room that wakes from these and is asked for all it does.
fn live_on(kept: &[String]) {
    let mut world = World::new();
    world.text(
        2,
        r#"{"type":"send","client_message_id":"a","message":"Hi"}"#,
    );
    world.wait(Seconds(1));
    world.wake(kept);
    world.wait(Seconds(1));
    for number in 0..CONNECTIONS {
        world.text(number, r#"{"message":"Hello"}"#);
        world.text(
            number,
            r#"[{"type":"ping"},{"type":"send","client_message_id":"a","message":"Hi"},
            {"type":"send","client_message_id":"b","message":"Hi"},
            {"type":"resume","since":0,"epoch":"e1"}]"#,
        );
        world.wait(Seconds(1));
    }
    // What it keeps of them now can be read again; `sleep` compares.
    world.sleep();
    world.wait(Seconds(120));
    world.wait(Seconds(100_000));
    world.text(3, r#"{"type":"ping"}"#);
}

/// What was read is written and read again as it is.
fn check_survives(text: &str) -> bool {
    let Ok(snapshot) = serde_json::from_str::<Snapshot>(text) else {
        return false;
    };
    let again = serde_json::to_string(&snapshot).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Snapshot>(&again).ok(),
        Some(snapshot)
    );
    true
}

#[test]
fn snapshots() {
    let target = Target {
        name: "snapshots",
        corpus: include_str!("corpus/snapshots.txt"),
        words: &[
            "\n", "c", "u", "s", "x", "v2", "n", "l", "r", "m", "h", "o", "t", "w", "k", "e1",
        ],
        cases: 1_500,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        let mut kept: Vec<String> = text.lines().map(str::to_owned).collect();
        kept.retain(|line| check_survives(line));
        kept.truncate(MAX_WOKEN);
        live_on(&kept);
    });
}

fn some_number(random: &mut Rng) -> Value {
    match random.u8(0..4) {
        0 => {
            let number = serde_json::from_str::<i64>(NUMBERS[random.usize(0..NUMBERS.len())]);
            json!(number.unwrap_or(i64::MIN))
        }
        1 => json!(NOW.0 + random.i64(-5_000..5_000)),
        _ => json!(random.i64(-1..9)),
    }
}

/// One with every field it may have, each of any value.
fn some_snapshot(random: &mut Rng) -> Value {
    let mut number = || some_number(random);
    let mut snapshot = json!({
        "u": number(), "x": number(), "s": "s1",
        "l": number(), "m": number(), "t": number(),
        "r": [number(), true, 3, number()],
        "h": ["e1", number(), number()],
        "o": [number(), number()],
        "k": [["a", number(), number(), number(), number()]],
    });
    snapshot["c"] = json!(if random.bool() {
        random.u64(0..4)
    } else {
        random.u64(..)
    });
    snapshot["r"][1] = json!(random.bool());
    snapshot["r"][2] = json!(random.usize(..));
    snapshot["w"] = json!(hostile_text(random));
    for flag in ["v2", "n"] {
        snapshot[flag] = json!(random.bool());
    }
    for optional in ["l", "m", "t", "r", "h", "o", "k", "w", "v2", "n"] {
        if random.u8(0..3) == 0 {
            snapshot
                .as_object_mut()
                .expect("an object")
                .remove(optional);
        }
    }
    snapshot
}

#[test]
fn snapshots_of_any_values() {
    for_all("snapshots_of_any_values", 1_000, |random| {
        let kept: Vec<String> = (0..random.usize(1..=4))
            .map(|_| some_snapshot(random).to_string())
            .collect();
        for text in &kept {
            assert!(check_survives(text), "refused: {text}");
        }
        live_on(&kept);
    });
}
