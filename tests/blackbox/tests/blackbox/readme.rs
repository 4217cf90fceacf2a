//! The tour of the README, run as written.

use std::process::{Command, Stdio};

use colloquy_blackbox::{Server, unique};

const README: &str = include_str!("../../../../README.md");

/// The address in the README.
const DOCUMENTED: &str = "127.0.0.1:8000";

/// The shell blocks of the tour, as one script for the server under test.
fn script(server: &Server) -> String {
    let start = README.find("<!-- tour").expect("the start of the tour");
    let end = README
        .find("<!-- end of tour")
        .expect("the end of the tour");
    let blocks = README[start..end].split("```").skip(1).step_by(2);
    let shell: Vec<&str> = blocks
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect();
    assert!(shell.len() > 4, "the tour has too few commands");

    let mut script = format!("set -euo pipefail\n{}", shell.join("\n"));
    script = script.replace(DOCUMENTED, server.authority());
    // On a server with other data these usernames may be taken.
    for user in ["alice", "bob"] {
        let name = unique(user);
        for verb in ["register", "login"] {
            script = script.replace(&format!("{verb} {user}"), &format!("{verb} {name}"));
        }
    }
    script
}

#[test]
fn every_command_of_the_readme_tour_works() {
    let script = script(&Server::under_test());
    let mut bash = Command::new("bash")
        .args(["-c", &script])
        // The WebSocket client is installed here, so that npx does not download it.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/npm"))
        // Kept open: the client ends when its standard input does.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash starts");
    let open = bash.stdin.take();
    let output = bash.wait_with_output().expect("bash ends");
    drop(open);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    for wanted in [
        r#""message":"Hello, Bob!""#,
        r#""content":"Hello, Alice!""#,
        r#""duplicate":true"#,
        r#""type":"hello""#,
        r#""type":"sync","from":0,"to":2,"count":2,"complete":true"#,
    ] {
        assert!(printed.contains(wanted), "{wanted} is missing: {printed}");
    }
}
