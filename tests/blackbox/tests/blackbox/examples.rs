//! The programs in `examples/`, run against the server under test.

use std::process::{Command, Output};

use colloquy_blackbox::Server;

#[path = "../../../../examples/rust/src/chat.rs"]
mod rust_example;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn run(command: &mut Command) -> String {
    let base_url = Server::under_test().url("");
    let command = command.current_dir(EXAMPLES).env("BASE_URL", base_url);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the example starts");
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{printed}{errors}");
    printed
}

/// The id of the first send and of its repeat are equal.
#[track_caller]
fn assert_repeat_is_duplicate(line: &str) {
    let ids: Vec<&str> = line
        .split([' ', ','])
        .filter(|word| word.parse::<u64>().is_ok())
        .collect();
    assert_eq!(ids.len(), 2, "{line}");
    assert_eq!(ids[0], ids[1], "{line}");
    assert!(line.ends_with("duplicate true"), "{line}");
}

#[test]
fn curl_example_sends_repeats_and_catches_up() {
    let printed = run(&mut Command::new("curl/chat.sh"));
    let line = |start: &str| {
        let mut lines = printed.lines();
        let found = lines.find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start} in {printed}"))
    };
    assert!(
        line("repeated: ").contains(r#""duplicate":true"#),
        "{printed}"
    );
    let missed = line("missed: ");
    assert!(!missed.contains("Hello, Bob!"), "{missed}");
    for text in ["Are you there?", "See you later!"] {
        assert!(missed.contains(text), "{missed}");
    }
}

#[test]
fn javascript_example_sends_repeats_and_resumes() {
    let mut node = Command::new("node");
    let printed = run(node.args(["--experimental-websocket", "javascript/chat.mjs"]));
    for line in [
        "bob received 1: Hello, Bob!",
        "bob received 2: Are you there?",
        "bob received 3: See you later!",
        "bob is at 3",
        "two refreshes at once returned one pair: true",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{printed}");
    }
    let repeat = printed.lines().find(|line| line.starts_with("stored as"));
    assert_repeat_is_duplicate(repeat.expect("a repeat"));
}

#[tokio::test]
async fn rust_example_sends_repeats_and_resumes() {
    let server = Server::under_test();
    let base_url = server.url("");
    let lines = Box::pin(rust_example::run(&base_url)).await;
    let lines = lines.expect("the example runs");
    assert_repeat_is_duplicate(&lines[0]);
    assert_eq!(
        lines[1..],
        [
            "bob received 1: Hello, Bob!",
            "bob received 2: Are you there?",
            "bob received 3: See you later!",
        ]
    );
}
