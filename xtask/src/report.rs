//! The report of a test run: its steps as a table with a total.
//!
//! A run passes only when nothing failed and every step that counts tests ran at least one, so that a
//! suite which matches nothing does not pass.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The number of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

impl Counts {
    /// Adds the numbers of a `test result:` line of cargo; ignores other lines.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let mut before = "";
        for word in result
            .split([' ', '.', ';'])
            .filter(|word| !word.is_empty())
        {
            let count = before.parse().unwrap_or(0);
            match word {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
            before = word;
        }
    }

    /// Adds the numbers of vitest's line `Tests  1 failed | 2 passed | 1 skipped (4)`; ignores other
    /// lines.
    pub(crate) fn read_vitest(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("Tests ") else {
            return;
        };
        for part in result.split('|') {
            let mut words = part.split_whitespace();
            let count = words.next().and_then(|word| word.parse::<u32>().ok());
            match (count, words.next()) {
                (Some(count), Some("passed")) => self.passed += count,
                (Some(count), Some("failed")) => self.failed += count,
                (Some(count), Some("skipped" | "todo")) => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Whether any test ran.
    pub(crate) fn ran(self) -> bool {
        self.passed + self.failed > 0
    }
}

struct Step {
    name: String,
    elapsed: Duration,
    counts: Option<Counts>,
    error: Option<String>,
}

/// The steps of a run.
pub(crate) struct Report {
    steps: Vec<Step>,
    filtered: bool,
}

impl Report {
    /// With `filtered`, a step may run no test.
    pub(crate) fn new(filtered: bool) -> Self {
        Self {
            steps: Vec::new(),
            filtered,
        }
    }

    /// Runs a step that counts tests; returns whether it passed.
    pub(crate) fn tests(
        &mut self,
        name: &str,
        step: impl FnOnce(&mut Counts) -> Result<()>,
    ) -> bool {
        let mut counts = Counts::default();
        let filtered = self.filtered;
        self.step(name, || {
            let outcome = step(&mut counts);
            let nothing = !counts.ran() && !filtered && outcome.is_ok();
            let outcome = if nothing {
                Err(anyhow::anyhow!("no test ran"))
            } else {
                outcome
            };
            (outcome, Some(counts))
        })
    }

    /// Runs a step without tests; returns whether it succeeded.
    pub(crate) fn preparation(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
        self.step(name, || (step(), None))
    }

    fn step(&mut self, name: &str, step: impl FnOnce() -> (Result<()>, Option<Counts>)) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let (outcome, counts) = step();
        let elapsed = start.elapsed();
        let error = outcome.err().map(|error| format!("{error:#}"));
        match &error {
            None => println!("<== {name}: ok, {}", seconds(elapsed)),
            Some(error) => println!("<== {name}: FAILED, {}: {error}", seconds(elapsed)),
        }
        let passed = error.is_none();
        self.steps.push(Step {
            name: name.to_owned(),
            elapsed,
            counts,
            error,
        });
        passed
    }

    /// Records a step that could not run.
    pub(crate) fn skipped(&mut self, name: &str, why: &str) {
        let error = Some(format!("not run: {why}"));
        self.steps.push(Step {
            name: name.to_owned(),
            elapsed: Duration::ZERO,
            counts: None,
            error,
        });
    }

    /// The table, and whether the run passed.
    pub(crate) fn finish(&self) -> (String, bool) {
        use std::fmt::Write as _;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "\n{:<34} {:>7} {:>7} {:>8} {:>9}",
            "step", "passed", "failed", "ignored", "time"
        );
        let mut all = Counts::default();
        for step in &self.steps {
            let counts = step.effective();
            let (passed, ignored) = match step.counts {
                Some(counts) => (counts.passed.to_string(), counts.ignored.to_string()),
                None => ("-".to_owned(), "-".to_owned()),
            };
            let failed = match (step.counts, counts.failed) {
                (None, 0) => "-".to_owned(),
                (_, failed) => failed.to_string(),
            };
            let elapsed = seconds(step.elapsed);
            let _ = writeln!(
                text,
                "{:<34} {passed:>7} {failed:>7} {ignored:>8} {elapsed:>9}",
                step.name
            );
            if let Some(error) = &step.error {
                let _ = writeln!(text, "    {}", error.lines().next().unwrap_or_default());
            }
            all.passed += counts.passed;
            all.failed += counts.failed;
        }
        if self.steps.is_empty()
            || (!all.ran() && self.steps.iter().any(|step| step.counts.is_some()))
        {
            all.failed += 1;
            let _ = writeln!(text, "no test ran");
        }
        let _ = writeln!(text, "{} passed, {} failed", all.passed, all.failed);
        (text, all.failed == 0)
    }
}

impl Step {
    /// A failed step counts as one failure even if no test failed.
    fn effective(&self) -> Counts {
        let mut counts = self.counts.unwrap_or_default();
        if self.error.is_some() && counts.failed == 0 {
            counts.failed = 1;
        }
        counts
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_result_lines_of_cargo_are_counted() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out");
        counts
            .read("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; finished in 1s");
        counts.read("test passed_and_failed ... ok");
        assert_eq!(
            counts,
            Counts {
                passed: 7,
                failed: 4,
                ignored: 1
            }
        );
    }

    #[test]
    fn results_of_vitest_are_counted() {
        let mut counts = Counts::default();
        counts.read_vitest("      Tests  1 failed | 12 passed | 2 skipped (15)");
        counts.read_vitest(" Test Files  3 passed (3)");
        assert_eq!(
            counts,
            Counts {
                passed: 12,
                failed: 1,
                ignored: 2
            }
        );
    }

    #[test]
    fn step_without_tests_fails_unless_filtered() {
        let mut report = Report::new(false);
        assert!(!report.tests("empty", |_| Ok(())));
        assert!(!report.finish().1);
        let mut report = Report::new(true);
        assert!(report.tests("empty", |_| Ok(())));
        assert!(!report.finish().1, "no test ran at all");
        report.tests("one", |counts| {
            counts.passed = 1;
            Ok(())
        });
        assert!(report.finish().1);
    }

    #[test]
    fn failed_step_without_a_failed_test_counts() {
        let mut report = Report::new(false);
        report.tests("good", |counts| {
            counts.passed = 3;
            Ok(())
        });
        assert!(report.finish().1);
        report.preparation("build", || anyhow::bail!("does not compile"));
        report.skipped("suite", "the build failed");
        let (text, passed) = report.finish();
        assert!(!passed);
        assert!(text.trim_end().ends_with("3 passed, 2 failed"), "{text}");
    }
}
