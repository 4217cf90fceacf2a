//! Saved results: one JSON file per scenario in `bench/results`, from which the charts are drawn.
//!
//! A file has, for each subject, its run (date, commit, machine) and the raw figures of every round. A
//! run with a part of the targets replaces the subjects it measured and keeps the others. Older
//! results, of which only medians and ranges were kept, have a `summary` in place of `rounds` and
//! name their source.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::results::median;

/// The directory of the result files.
pub(crate) fn directory() -> PathBuf {
    colloquy_harness::root().join("bench/results")
}

/// What is recorded about a run.
pub(crate) struct Environment(Value);

impl Environment {
    pub(crate) fn read(rounds: u32, seconds: f64) -> Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = field(&memory, "MemTotal").and_then(|line| {
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib >> 20)
        });
        Ok(Self(json!({
            "date": output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
            "commit": output(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?,
            "machine": {
                "cpu": field(&cpu, "model name"),
                "cores": std::thread::available_parallelism()?.get(),
                "memory_gib": memory,
            },
            "rounds": rounds,
            "seconds": seconds,
        })))
    }

    pub(crate) fn json(&self) -> Value {
        self.0.clone()
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.current_dir(colloquy_harness::root()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Writes the results of a scenario.
pub(crate) fn write(environment: &Environment, results: &Value) -> Result<()> {
    let name = results["scenario"].as_str().context("no scenario")?;
    let merged = merged(read(name)?, environment, results);
    fs::create_dir_all(directory())?;
    let path = directory().join(format!("{name}.json"));
    fs::write(&path, format!("{merged:#}\n")).with_context(|| path.display().to_string())
}

/// The saved results with the measured subjects replaced.
fn merged(saved: Option<Value>, environment: &Environment, results: &Value) -> Value {
    let mut subjects = Vec::new();
    for subject in results["subjects"].as_array().into_iter().flatten() {
        subjects.push(json!({
            "name": subject["name"],
            "run": environment.json(),
            "rounds": subject["rounds"],
        }));
    }
    let saved = saved.unwrap_or_default();
    for subject in saved["subjects"].as_array().into_iter().flatten() {
        if !subjects.iter().any(|one| one["name"] == subject["name"]) {
            subjects.push(subject.clone());
        }
    }
    json!({
        "scenario": results["scenario"],
        "about": results["about"],
        "subjects": subjects,
    })
}

/// Reads the saved results of a scenario; `None` if there are none.
pub(crate) fn read(scenario: &str) -> Result<Option<Value>> {
    let path = directory().join(format!("{scenario}.json"));
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path)?;
    let saved = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(Some(saved))
}

/// Median and range of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// Minimum and maximum, if there was more than one round.
    pub(crate) range: Option<(f64, f64)>,
}

/// The figure of a subject at this JSON pointer; `None` if it was not measured.
pub(crate) fn summary(saved: &Value, subject: &str, pointer: &str) -> Option<Summary> {
    let mut subjects = saved["subjects"].as_array()?.iter();
    let subject = subjects.find(|one| one["name"] == subject)?;
    if let Some(summary) = subject["summary"].get(pointer) {
        let bound = |name: &str| summary[name].as_f64();
        return Some(Summary {
            median: bound("median")?,
            range: bound("min").zip(bound("max")),
        });
    }
    let rounds = subject["rounds"].as_array()?.iter();
    let values: Vec<f64> = rounds
        .filter_map(|round| round.pointer(pointer)?.as_f64())
        .collect();
    let min = values.iter().copied().reduce(f64::min)?;
    let max = values.iter().copied().reduce(f64::max)?;
    let range = (values.len() > 1).then_some((min, max));
    let median = median(values)?;
    Some(Summary { median, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_replaces_measured_subjects_and_keeps_the_others() {
        let saved =
            json!({"subjects": [{"name": "a", "rounds": [1]}, {"name": "b", "rounds": [2]}]});
        let results = json!({"scenario": "s", "subjects": [{"name": "a", "rounds": [3]}]});
        let environment = Environment(json!({"commit": "c"}));
        let merged = merged(Some(saved), &environment, &results);
        let expected = json!([
            {"name": "a", "run": {"commit": "c"}, "rounds": [3]},
            {"name": "b", "rounds": [2]},
        ]);
        assert_eq!(merged["subjects"], expected);
    }

    #[test]
    fn summary_is_read_from_rounds_or_from_older_medians() {
        let saved = json!({"subjects": [
            {"name": "edge v1", "rounds": [{"p99_us": 3}, {"p99_us": 1}, {"p99_us": 2}]},
            {"name": "node", "summary": {"/p99_us": {"median": 9.5, "min": 8.0, "max": 11.0}}},
            {"name": "baseline", "summary": {"/p99_us": {"median": 1.0}}},
        ]});
        let read = |subject| summary(&saved, subject, "/p99_us");
        let whole = |median, range| Some(Summary { median, range });
        assert_eq!(read("edge v1"), whole(2.0, Some((1.0, 3.0))));
        assert_eq!(read("node"), whole(9.5, Some((8.0, 11.0))));
        assert_eq!(read("baseline"), whole(1.0, None));
        assert_eq!(read("sqlite v1"), None);
    }
}
