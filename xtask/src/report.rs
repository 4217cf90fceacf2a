//! Keeps what a run did, step by step, and prints it as a table whose last line counts.
//!
//! A run is good only when nothing failed and every step that should have run tests ran some: a
//! suite that silently matches nothing must not pass for one that passed.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How many tests passed, failed, were ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

impl Counts {
    /// Adds what one of cargo's `test result:` lines says; other lines say nothing.
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

    /// Whether anything ran at all.
    pub(crate) fn ran(self) -> bool {
        self.passed + self.failed > 0
    }
}

struct Step {
    name: String,
    took: Duration,
    counts: Option<Counts>,
    trouble: Option<String>,
}

/// What a run did so far.
pub(crate) struct Report {
    steps: Vec<Step>,
    filtered: bool,
}

impl Report {
    /// `filtered` tells that a step may well run nothing, because only some tests are asked for.
    pub(crate) fn new(filtered: bool) -> Self {
        Self {
            steps: Vec::new(),
            filtered,
        }
    }

    /// Does a step that counts tests. Answers whether it went well; trouble is told and kept.
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

    /// Does a step that prepares something.
    pub(crate) fn preparation(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
        self.step(name, || (step(), None))
    }

    fn step(&mut self, name: &str, step: impl FnOnce() -> (Result<()>, Option<Counts>)) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let (outcome, counts) = step();
        let took = start.elapsed();
        let trouble = outcome.err().map(|error| format!("{error:#}"));
        match &trouble {
            None => println!("<== {name}: ok, {}", seconds(took)),
            Some(trouble) => println!("<== {name}: FAILED, {}: {trouble}", seconds(took)),
        }
        let good = trouble.is_none();
        self.steps.push(Step {
            name: name.to_owned(),
            took,
            counts,
            trouble,
        });
        good
    }

    /// Notes a step that could not be tried.
    pub(crate) fn skipped(&mut self, name: &str, why: &str) {
        let trouble = Some(format!("not run: {why}"));
        self.steps.push(Step {
            name: name.to_owned(),
            took: Duration::ZERO,
            counts: None,
            trouble,
        });
    }

    /// The table, and whether all was well.
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
            let took = seconds(step.took);
            let _ = writeln!(
                text,
                "{:<34} {passed:>7} {failed:>7} {ignored:>8} {took:>9}",
                step.name
            );
            if let Some(trouble) = &step.trouble {
                let _ = writeln!(text, "    {}", trouble.lines().next().unwrap_or_default());
            }
            all.passed += counts.passed;
            all.failed += counts.failed;
        }
        if self.steps.is_empty()
            || (!all.ran() && self.steps.iter().any(|step| step.counts.is_some()))
        {
            all.failed += 1;
            let _ = writeln!(text, "nothing was tested");
        }
        let _ = writeln!(text, "{} passed, {} failed", all.passed, all.failed);
        (text, all.failed == 0)
    }
}

impl Step {
    /// A step in trouble counts as one failure even if no test in it failed.
    fn effective(&self) -> Counts {
        let mut counts = self.counts.unwrap_or_default();
        if self.trouble.is_some() && counts.failed == 0 {
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
    fn reads_cargos_result_lines_and_no_others() {
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
    fn a_step_that_ran_nothing_fails_unless_filtered() {
        let mut report = Report::new(false);
        assert!(!report.tests("empty", |_| Ok(())));
        assert!(!report.finish().1);
        let mut report = Report::new(true);
        assert!(report.tests("empty", |_| Ok(())));
        assert!(!report.finish().1, "nothing at all ran");
        report.tests("one", |counts| {
            counts.passed = 1;
            Ok(())
        });
        assert!(report.finish().1);
    }

    #[test]
    fn trouble_without_a_failed_test_still_counts() {
        let mut report = Report::new(false);
        report.tests("good", |counts| {
            counts.passed = 3;
            Ok(())
        });
        assert!(report.finish().1);
        report.preparation("build", || anyhow::bail!("does not compile"));
        report.skipped("suite", "the build failed");
        let (text, good) = report.finish();
        assert!(!good);
        assert!(text.trim_end().ends_with("3 passed, 2 failed"), "{text}");
    }
}
