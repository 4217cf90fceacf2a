//! The README's five minutes, run as they stand there.

use std::process::{Command, Stdio};

use colloquy_blackbox::{Server, unique};

const README: &str = include_str!("../../../README.md");

/// Where the README says the server listens.
const DOCUMENTED: &str = "127.0.0.1:8000";

/// The shell blocks of the tour, as one script for the server under test.
fn script(server: &Server) -> String {
    let start = README.find("<!-- tour").expect("the tour begins");
    let end = README.find("<!-- end of tour").expect("the tour ends");
    let blocks = README[start..end].split("```").skip(1).step_by(2);
    let shell: Vec<&str> = blocks
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect();
    assert!(shell.len() > 4, "the tour has lost its commands");

    let mut script = format!("set -euo pipefail\n{}", shell.join("\n"));
    script = script.replace(DOCUMENTED, server.authority());
    // On a server that has seen others, these two may be taken.
    for person in ["alice", "bob"] {
        let name = unique(person);
        for verb in ["register", "login"] {
            script = script.replace(&format!("{verb} {person}"), &format!("{verb} {name}"));
        }
    }
    script
}

#[test]
fn every_command_of_the_tour_works_as_written() {
    let script = script(&Server::under_test());
    let mut bash = Command::new("bash")
        .args(["-c", &script])
        // The WebSocket client is installed here, so that npx need not fetch it.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/npm"))
        // Left open: the client ends with its standard input.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash starts");
    let open = bash.stdin.take();
    let output = bash.wait_with_output().expect("bash ends");
    drop(open);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for wanted in [
        r#""message":"Hello, Bob!""#,
        r#""content":"Hello, Alice!""#,
        r#""duplicate":true"#,
        r#""type":"hello""#,
        r#""type":"sync","from":0,"to":2,"count":2,"complete":true"#,
    ] {
        assert!(said.contains(wanted), "{wanted} is missing: {said}");
    }
}
