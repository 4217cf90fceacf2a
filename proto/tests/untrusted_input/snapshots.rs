//! Persisted snapshots. Clients cannot write them, but another version of the server may have:
//! every snapshot is either rejected or restored to a working Room.

use colloquy_fuzz::{NUMBERS, Rng, Target, arbitrary_text, for_all};
use colloquy_proto::domain::Seconds;
use colloquy_proto::room::Snapshot;
use serde_json::{Value, json};

use crate::fixture::{CONNECTIONS, Fixture, NOW};

/// The maximum number of snapshots a Room is restored from.
const MAX_SNAPSHOTS: usize = 8;

/// Restores a Room from these snapshots and uses all of its functions.
fn exercise_restored_room(snapshots: &[String]) {
    let mut fixture = Fixture::new();
    fixture.text(
        2,
        r#"{"type":"send","client_message_id":"a","message":"Hi"}"#,
    );
    fixture.advance(Seconds(1));
    fixture.restore(snapshots);
    fixture.advance(Seconds(1));
    for number in 0..CONNECTIONS {
        fixture.text(number, r#"{"message":"Hello"}"#);
        fixture.text(
            number,
            r#"[{"type":"ping"},{"type":"send","client_message_id":"a","message":"Hi"},
            {"type":"send","client_message_id":"b","message":"Hi"},
            {"type":"resume","since":0,"epoch":"e1"}]"#,
        );
        fixture.advance(Seconds(1));
    }
    // `hibernate` checks that the new snapshots round-trip.
    fixture.hibernate();
    fixture.advance(Seconds(120));
    fixture.advance(Seconds(100_000));
    fixture.text(3, r#"{"type":"ping"}"#);
}

/// Checks the round trip of a snapshot; false when it is rejected.
fn check_round_trip(text: &str) -> bool {
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
        let mut snapshots: Vec<String> = text.lines().map(str::to_owned).collect();
        snapshots.retain(|line| check_round_trip(line));
        snapshots.truncate(MAX_SNAPSHOTS);
        exercise_restored_room(&snapshots);
    });
}

fn random_number(random: &mut Rng) -> Value {
    match random.u8(0..4) {
        0 => {
            let number = serde_json::from_str::<i64>(NUMBERS[random.usize(0..NUMBERS.len())]);
            json!(number.unwrap_or(i64::MIN))
        }
        1 => json!(NOW.0 + random.i64(-5_000..5_000)),
        _ => json!(random.i64(-1..9)),
    }
}

/// A snapshot with random fields of random values.
fn random_snapshot(random: &mut Rng) -> Value {
    let mut number = || random_number(random);
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
    snapshot["w"] = json!(arbitrary_text(random));
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
fn snapshots_with_any_values() {
    for_all("snapshots_with_any_values", 1_000, |random| {
        let snapshots: Vec<String> = (0..random.usize(1..=4))
            .map(|_| random_snapshot(random).to_string())
            .collect();
        for text in &snapshots {
            assert!(check_round_trip(text), "rejected: {text}");
        }
        exercise_restored_room(&snapshots);
    });
}
