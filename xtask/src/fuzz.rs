//! `cargo xtask fuzz`: runs the fuzz targets longer than a test run does, or replays one case.
//!
//! Owns the list of targets and how each is run. A target is a test of the same name in a
//! program `untrusted_input`, among core's HTTP tests, or in the Worker's unit tests where the parser
//! is private. `tests/fuzz` has what they share. A plain test run tries fixed cases for a few
//! seconds; here the cases begin at a number that no run has used.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::builder::PossibleValuesParser;

use crate::Verdict;
use colloquy_harness::processes::Processes;
use colloquy_harness::tools;

/// The tests of one program that take untrusted input, by their full names. The last part is the
/// target's name.
struct Program {
    package: &'static str,
    /// The arguments of `cargo test` that select it.
    selection: &'static [&'static str],
    tests: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        package: "colloquy-proto",
        selection: &["--test", "untrusted_input"],
        tests: &[
            "frames::commands_round_trip",
            "frames::frames",
            "room::room",
            "room::room_with_valid_commands",
            "snapshots::snapshots",
            "snapshots::snapshots_with_any_values",
        ],
    },
    Program {
        package: "colloquy-core",
        selection: &["--test", "untrusted_input"],
        tests: &[
            "answers::answers",
            "answers::results_decode_to_the_encoded_values",
            "cache::cached_events",
            "cache::cached_events_yield_correct_pages_or_none",
            "cache::redis_args_have_the_semantics_of_the_in_process_cache",
            "append_params::batch_parameters_equal_the_sends",
            "cursors::cursors",
            "cursors::cursors_round_trip",
            "names::keys_of_any_characters_are_stable",
            "names::names",
            "summaries::rendered_lists_equal_the_database",
            "settings::settings",
            "tokens::arbitrary_signed_claims_never_panic_or_change_meaning",
            "tokens::issued_tokens_are_valid_until_they_expire",
            "tokens::untrusted_tokens",
            "values::events_round_trip",
            "values::rest_messages_and_events_agree",
            "values::replies_are_frames_of_their_type",
            "values::timestamps_round_trip_in_both_forms",
        ],
    },
    Program {
        package: "colloquy-core",
        selection: &["--test", "http"],
        tests: &["untrusted_input::requests"],
    },
    Program {
        package: "colloquy-redis-http",
        selection: &["--test", "untrusted_input"],
        tests: &[
            "redis_responses",
            "redis_commands",
            "redis_values_round_trip",
        ],
    },
    Program {
        package: "colloquy-local-server",
        selection: &["--test", "untrusted_input"],
        tests: &["written_frames_are_read_back_unchanged"],
    },
    Program {
        package: "colloquy-worker",
        selection: &["--lib"],
        tests: &[
            "limits_do::tests::charges_round_trip",
            "limits_do::tests::names_of_buckets_round_trip",
            "rpc::tests::admissions_round_trip",
            "rpc::tests::rpc_messages",
            "rpc::tests::sends_and_their_outcomes_round_trip",
            "session_do::tests::session_is_stored_as_long_as_its_newest_token",
            "session_do::tests::stored_sessions",
        ],
    },
];

/// The name of a test's target.
fn target_of(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
}

/// The names of all targets.
fn targets() -> impl Iterator<Item = &'static str> {
    let tests = PROGRAMS.iter().flat_map(|program| program.tests);
    tests.map(|test| target_of(test))
}

#[derive(clap::Args, Debug)]
pub(crate) struct FuzzOptions {
    /// Run only this target.
    #[arg(value_parser = PossibleValuesParser::new(targets()))]
    target: Option<String>,
    /// How many minutes each target runs.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Replay this case of the target.
    #[arg(long, requires = "target", conflicts_with_all = ["minutes", "input"])]
    case: Option<u64>,
    /// Run the target on this input, in the form a failure prints.
    #[arg(
        long,
        requires = "target",
        conflicts_with = "minutes",
        allow_hyphen_values = true
    )]
    input: Option<String>,
}

/// `cargo xtask fuzz`
pub(crate) fn command(options: &FuzzOptions) -> Verdict {
    let processes = Processes::open()?;
    let mut passed = true;
    for program in PROGRAMS {
        let is_selected = |test: &&&str| {
            let target = options.target.as_deref();
            target.is_none_or(|name| name == target_of(test))
        };
        let tests: Vec<&str> = program.tests.iter().filter(is_selected).copied().collect();
        if !tests.is_empty() {
            let status = processes.run(&mut run(program, &tests, options)?)?;
            passed &= status.success();
        }
    }
    Ok(passed)
}

fn run(program: &Program, tests: &[&str], options: &FuzzOptions) -> Result<Command> {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--quiet", "--package", program.package]);
    cargo.args(program.selection);
    if let Some(case) = options.case {
        cargo.env("COLLOQUY_FUZZ_CASE", case.to_string());
    } else if let Some(line) = &options.input {
        cargo.env("COLLOQUY_FUZZ_INPUT", line);
    } else {
        // Optimised but with debug assertions: ten times the cases.
        cargo.env(
            "CARGO_TARGET_DIR",
            tools::target_directory().join("fuzz-build"),
        );
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
        let from = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 20;
        println!("{}: cases from {from}", program.package);
        cargo.env("COLLOQUY_FUZZ_SECONDS", (options.minutes * 60).to_string());
        cargo.env("COLLOQUY_FUZZ_FROM", from.to_string());
    }
    cargo.env("RUST_BACKTRACE", "0");
    cargo.args(["--", "--nocapture", "--exact"]).args(tests);
    Ok(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn fuzz_options_are_parsed() {
        let parse = parsed::<FuzzOptions>;
        let options = parse("").unwrap();
        assert_eq!((options.minutes, options.target), (1, None));
        let options = parse("--minutes 5 room").unwrap();
        assert_eq!(
            (options.minutes, options.target.as_deref()),
            (5, Some("room"))
        );
        assert_eq!(parse("room --case 7").unwrap().case, Some(7));
        let options = parse("room --input -\\x00").unwrap();
        assert_eq!(options.input.as_deref(), Some("-\\x00"));
        for invalid in [
            "--case 7",
            "nothing",
            "room room",
            "room --case x",
            "room --case",
            "room --case 7 --minutes 1",
            "--often 3",
        ] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }

    /// A target that is missing in the table cannot be replayed.
    #[test]
    fn every_target_is_in_the_table() {
        let mut found = Vec::new();
        for directory in [
            "proto/tests/untrusted_input",
            "core/tests/untrusted_input",
            "core/tests/http",
            "local-server/tests",
            "redis-http/tests/untrusted_input",
            "worker/src",
        ] {
            for entry in std::fs::read_dir(colloquy_harness::root().join(directory)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(path).unwrap();
                    for start in ["Target {", "for_all("] {
                        for rest in text.split(start).skip(1).map(str::trim_start) {
                            let rest = rest.strip_prefix("name: ").unwrap_or(rest);
                            let name = rest.strip_prefix('"').unwrap();
                            found.push(name.split('"').next().unwrap().to_owned());
                        }
                    }
                }
            }
        }
        found.sort();
        let mut listed: Vec<&str> = targets().collect();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
