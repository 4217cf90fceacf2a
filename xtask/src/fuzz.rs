//! `cargo xtask fuzz`: the fuzz targets, for longer than a test run tries them, or one case again.
//!
//! Owns the list of targets and how each is reached. A target itself is a test of the same name in
//! a program called `hostile` (or among core's tests of HTTP); `fuzz/` has what they share. Plain
//! test runs try every target for a few seconds, always the same cases; here cases go on from one
//! that nobody has tried yet.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

use crate::processes::Processes;
use crate::{Verdict, tools};

const USAGE: &str =
    "usage: cargo xtask fuzz [--minutes N] [TARGET], or TARGET --case N, or TARGET --input LINE";

/// How long each target is tried unless told otherwise.
const MINUTES: u64 = 1;

/// A package's test program and the tests in it that take hostile input, by their whole names; the
/// last part is what a target is called.
struct Program {
    package: &'static str,
    test: &'static str,
    tests: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        package: "colloquy-core",
        test: "hostile",
        tests: &[
            "answers::answers",
            "answers::answers_are_read_as_they_were_meant",
            "cursors::cursors",
            "cursors::cursors_come_back",
            "frames::commands_survive_the_wire",
            "frames::frames",
            "room::room",
            "room::room_of_commands",
            "settings::settings",
            "tokens::claims_of_any_kind_are_never_more_than_refused",
            "tokens::issued_tokens_are_believed_until_they_end",
            "tokens::tokens_of_strangers",
            "values::events_come_back",
            "values::messages_of_rest_and_events_say_the_same",
            "values::replies_are_frames_of_their_type",
            "values::times_come_back_in_either_form",
        ],
    },
    Program {
        package: "colloquy-core",
        test: "http",
        tests: &["hostile::requests"],
    },
    Program {
        package: "colloquy-redis-http",
        test: "hostile",
        tests: &["redis_answers", "redis_commands", "redis_values_come_back"],
    },
];

/// What a test's target is called.
fn target_of(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Each for so many minutes.
    Minutes(u64),
    Case(u64),
    Input(String),
}

/// `cargo xtask fuzz`
pub(crate) fn command(arguments: &[String]) -> Verdict {
    let (wanted, target) = parse(arguments)?;
    let processes = Processes::open()?;
    let mut good = true;
    for program in PROGRAMS {
        let meant = |test: &&&str| target.as_deref().is_none_or(|name| name == target_of(test));
        let tests: Vec<&str> = program.tests.iter().filter(meant).copied().collect();
        if !tests.is_empty() {
            let status = processes.run(&mut run(program, &tests, &wanted)?)?;
            good &= status.success();
        }
    }
    Ok(good)
}

/// What is wanted, and of which target; of every one without.
fn parse(arguments: &[String]) -> Result<(Wanted, Option<String>)> {
    let (mut wanted, mut target) = (None, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") {
            ensure!(target.replace(argument.clone()).is_none(), USAGE);
            continue;
        }
        let value = arguments.next().context(USAGE)?;
        let number = || {
            value
                .parse()
                .with_context(|| format!("{value} is no number"))
        };
        let chosen = match argument.as_str() {
            "--minutes" => Wanted::Minutes(number()?),
            "--case" => Wanted::Case(number()?),
            "--input" => Wanted::Input(value.clone()),
            _ => bail!(USAGE),
        };
        ensure!(wanted.replace(chosen).is_none(), USAGE);
    }
    let wanted = wanted.unwrap_or(Wanted::Minutes(MINUTES));
    let mut known = PROGRAMS
        .iter()
        .flat_map(|program| program.tests)
        .map(|test| target_of(test));
    match &target {
        None => ensure!(
            matches!(wanted, Wanted::Minutes(_)),
            "of which target? {USAGE}"
        ),
        Some(name) => ensure!(
            known.any(|known| known == name),
            "there is no target `{name}`; there are {}",
            PROGRAMS
                .iter()
                .flat_map(|program| program.tests)
                .map(|test| target_of(test))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
    Ok((wanted, target))
}

fn run(program: &Program, tests: &[&str], wanted: &Wanted) -> Result<Command> {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--quiet", "--package", program.package]);
    cargo.args(["--test", program.test]);
    match wanted {
        Wanted::Minutes(minutes) => {
            // Optimised, with the checks of a debug build: ten times the cases.
            cargo.env(
                "CARGO_TARGET_DIR",
                tools::target_directory().join("fuzz-build"),
            );
            cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
            let from = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 20;
            println!("{}: cases from {from} on", program.package);
            cargo.env("COLLOQUY_FUZZ_SECONDS", (minutes * 60).to_string());
            cargo.env("COLLOQUY_FUZZ_FROM", from.to_string());
        }
        Wanted::Case(case) => {
            cargo.env("COLLOQUY_FUZZ_CASE", case.to_string());
        }
        Wanted::Input(line) => {
            cargo.env("COLLOQUY_FUZZ_INPUT", line);
        }
    }
    cargo.env("RUST_BACKTRACE", "0");
    cargo.args(["--", "--nocapture", "--exact"]).args(tests);
    Ok(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Wanted, Option<String>)> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn reads_its_command_line() {
        assert_eq!(parsed("").unwrap(), (Wanted::Minutes(1), None));
        let room = || Some("room".to_owned());
        assert_eq!(
            parsed("--minutes 5 room").unwrap(),
            (Wanted::Minutes(5), room())
        );
        assert_eq!(parsed("room --case 7").unwrap(), (Wanted::Case(7), room()));
        let input = Wanted::Input("\\x00".to_owned());
        assert_eq!(parsed("room --input \\x00").unwrap(), (input, room()));
        for wrong in [
            "--case 7",
            "nothing",
            "room room",
            "room --case x",
            "room --case",
            "--often 3",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    /// A target that is not in the table could not be replayed.
    #[test]
    fn every_target_is_in_the_table() {
        let mut found = Vec::new();
        for directory in [
            "core/tests/hostile",
            "core/tests/http",
            "redis-http/tests/hostile",
        ] {
            for entry in std::fs::read_dir(crate::root().join(directory)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(path).unwrap();
                    for start in [
                        "Target {\n        name: \"",
                        "for_all(\"",
                        "for_all(\n        \"",
                    ] {
                        let names = text.split(start).skip(1);
                        found.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
                    }
                }
            }
        }
        found.sort();
        let mut known: Vec<&str> = PROGRAMS
            .iter()
            .flat_map(|program| program.tests)
            .map(|test| target_of(test))
            .collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }
}
